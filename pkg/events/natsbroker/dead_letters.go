package natsbroker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"
)

// park makes an event a dead letter of a group.
func (b *Broker) park(ctx context.Context, group string, event *events.Event, why error, attempts int) error {
	letter := events.NewDeadLetter(b.letterIDs.Next(), group, event, why, attempts)
	letter.Id = "" // is its number in the stream
	body, err := proto.Marshal(letter)
	if err != nil {
		return err
	}
	b.cfg.Logger.Warn("an event became a dead letter", "consumer", group, "event_id", event.GetId(), "type", event.GetType(), "attempts", attempts, "error", why)
	b.cfg.Metrics.DeadLetter(group)
	return b.send(ctx, b.deadOf(group), group+" "+event.GetId()+" "+strconv.FormatInt(letter.GetTime().AsTime().UnixNano(), 36), body)
}

// letterID names a dead letter by its number in the stream; ids sort as numbers
// do.
func letterID(seq uint64) string { return fmt.Sprintf("dead-%020d", seq) }

func letterSeq(id string) (uint64, bool) {
	digits, ok := strings.CutPrefix(id, "dead-")
	seq, err := strconv.ParseUint(digits, 10, 64)
	return seq, ok && err == nil
}

// DeadLetters implements events.Broker.
func (b *Broker) DeadLetters(ctx context.Context, group, after string, limit int) ([]*events.DeadLetter, error) {
	if err := b.ensure(ctx); err != nil {
		return nil, err
	}
	stream, err := b.js.Stream(ctx, b.dead())
	if err != nil {
		return nil, err
	}
	if group == "" {
		group = "*"
	}
	seq, _ := letterSeq(after)
	var list []*events.DeadLetter
	for len(list) < limit {
		m, err := stream.GetMsg(ctx, seq+1, jetstream.WithGetMsgSubject(b.deadOf(group)))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		letter := new(events.DeadLetter)
		if err := proto.Unmarshal(m.Data, letter); err != nil {
			return nil, err
		}
		seq, letter.Id = m.Sequence, letterID(m.Sequence)
		list = append(list, letter)
	}
	return list, nil
}

// Requeue implements events.Broker.
func (b *Broker) Requeue(ctx context.Context, letters []string) (int, error) {
	return b.each(ctx, letters, func(id string, letter *events.DeadLetter) error {
		body, err := proto.Marshal(letter.GetEvent())
		if err != nil {
			return err
		}
		return b.send(ctx, b.requeued(letter.GetConsumer()), "requeued "+id, body)
	})
}

// Discard implements events.Broker.
func (b *Broker) Discard(ctx context.Context, letters []string) (int, error) {
	return b.each(ctx, letters, func(string, *events.DeadLetter) error { return nil })
}

// each does something to dead letters and removes them.
func (b *Broker) each(ctx context.Context, letters []string, do func(id string, letter *events.DeadLetter) error) (done int, err error) {
	if err := b.ensure(ctx); err != nil {
		return 0, err
	}
	stream, err := b.js.Stream(ctx, b.dead())
	if err != nil {
		return 0, err
	}
	for _, id := range letters {
		seq, ok := letterSeq(id)
		if !ok {
			continue
		}
		m, err := stream.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return done, err
		}
		letter := new(events.DeadLetter)
		if err := proto.Unmarshal(m.Data, letter); err != nil {
			return done, err
		}
		if err := do(id, letter); err != nil {
			return done, err
		}
		if err := stream.DeleteMsg(ctx, seq); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return done, err
		}
		done++
	}
	return done, nil
}
