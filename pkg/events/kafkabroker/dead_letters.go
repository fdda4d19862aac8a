package kafkabroker

import (
	"context"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
)

// park makes an event a dead letter of a group.
func (b *Broker) park(ctx context.Context, group string, event *events.Event, why error, attempts int) error {
	letter := events.NewDeadLetter(b.letterIDs.Next(), group, event, why, attempts)
	body, err := proto.Marshal(letter)
	if err != nil {
		return err
	}
	b.cfg.Logger.Warn("an event became a dead letter", "consumer", group, "event_id", event.GetId(), "type", event.GetType(), "attempts", attempts, "error", why)
	b.cfg.Metrics.DeadLetter(group)
	return b.send(ctx, b.dead(), letter.GetId(), body)
}

// letters reads all dead letters.
func (b *Broker) letters(ctx context.Context) (events.Letters, error) {
	all := events.Letters{}
	var broken error
	err := b.read(ctx, b.dead(), kgo.NewOffset().AtStart(), func(r *kgo.Record) bool {
		broken = all.Apply(string(r.Key), r.Value)
		return broken == nil
	})
	if err == nil {
		err = broken
	}
	return all, err
}

// DeadLetters implements events.Broker.
func (b *Broker) DeadLetters(ctx context.Context, group, after string, limit int) ([]*events.DeadLetter, error) {
	all, err := b.letters(ctx)
	return all.Page(group, after, limit), err
}

// Requeue implements events.Broker.
func (b *Broker) Requeue(ctx context.Context, given []string) (int, error) {
	return b.each(ctx, given, func(letter *events.DeadLetter) error {
		body, err := proto.Marshal(letter.GetEvent())
		if err != nil {
			return err
		}
		return b.send(ctx, b.requeued(letter.GetConsumer()), letter.GetEvent().GetKey(), body)
	})
}

// Discard implements events.Broker.
func (b *Broker) Discard(ctx context.Context, given []string) (int, error) {
	return b.each(ctx, given, func(*events.DeadLetter) error { return nil })
}

// each does something to dead letters and removes them.
func (b *Broker) each(ctx context.Context, given []string, do func(*events.DeadLetter) error) (int, error) {
	all, err := b.letters(ctx)
	if err != nil {
		return 0, err
	}
	return all.Take(given, do, func(id string) error { return b.send(ctx, b.dead(), id, nil) })
}
