package embedded

import (
	"context"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// park makes an event a dead letter of a consumer.
func (b *Broker) park(ctx context.Context, consumer string, event *events.Event, why error, attempts int) (id string, err error) {
	body, err := proto.Marshal(event)
	if err != nil {
		return "", err
	}
	id = b.letterIDs.Next()
	_, err = b.db.exec(ctx, `insert into dead_letters (id, consumer, owner, event, error, attempts, micros) values (?, ?, ?, ?, ?, ?, ?)`,
		id, consumer, event.GetOwner(), body, events.ErrorText(why), int64(attempts), time.Now().UnixMicro())
	if err == nil {
		b.deps.Metrics.DeadLetter(consumer)
		b.logger.Warn("an event became a dead letter", "consumer", consumer, "event_id", event.GetId(), "type", event.GetType(),
			"attempts", attempts, "dead_letter_id", id, "error", why)
	}
	return id, err
}

// whose says of which events dead letters are meant: of one owner, or with all of
// every owner.
const whose = `(? = 1 or owner = ?)`

// parkAgain gives a dead letter of a consumer up that was put back; false where
// there is none.
func (b *Broker) parkAgain(ctx context.Context, owner string, all bool, consumer, id string, why error, attempts int) (bool, error) {
	changed, err := b.db.exec(ctx, `update dead_letters set requeued = 0, error = ?, attempts = attempts + ?, micros = ?
		where id = ? and consumer = ? and requeued = 1 and `+whose,
		events.ErrorText(why), int64(attempts), time.Now().UnixMicro(), id, consumer, asInteger(all), owner)
	return changed > 0, err
}

// handled removes a dead letter of a consumer that was put back.
func (b *Broker) handled(ctx context.Context, owner string, all bool, consumer, id string) error {
	_, err := b.db.exec(ctx, `delete from dead_letters where id = ? and consumer = ? and requeued = 1 and `+whose, id, consumer, asInteger(all), owner)
	return err
}

const selectLetters = `select id, consumer, event, error, attempts, micros from dead_letters where requeued = ? and `

func (b *Broker) letters(ctx context.Context, query string, args ...any) (list []*events.DeadLetter, err error) {
	err = b.db.query(ctx, func(scan func(...any) error) error {
		var body []byte
		var micros int64
		letter := &events.DeadLetter{Event: new(events.Event)}
		if err := scan(&letter.Id, &letter.Consumer, &body, &letter.Error, &letter.Attempts, &micros); err != nil {
			return err
		}
		letter.Time = timestamppb.New(time.UnixMicro(micros))
		list = append(list, letter)
		return proto.Unmarshal(body, letter.Event)
	}, query, args...)
	return list, err
}

// putBack returns the dead letters of a consumer that were put back.
func (b *Broker) putBack(ctx context.Context, owner, consumer string, all bool) ([]*events.DeadLetter, error) {
	return b.letters(ctx, selectLetters+`consumer = ? and `+whose+` order by id limit 100`, int64(1), consumer, asInteger(all), owner)
}

func asInteger(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// DeadLetters implements events.Broker.
func (b *Broker) DeadLetters(ctx context.Context, group, after string, limit int) ([]*events.DeadLetter, error) {
	return b.letters(ctx, selectLetters+`(? = '' or consumer = ?) and id > ? order by id limit ?`, int64(0), group, group, after, int64(limit))
}

// Requeue implements events.Broker.
func (b *Broker) Requeue(ctx context.Context, letters []string) (int, error) {
	return b.each(ctx, `update dead_letters set requeued = 1 where id = ? and requeued = 0`, letters)
}

// Discard implements events.Broker.
func (b *Broker) Discard(ctx context.Context, letters []string) (int, error) {
	return b.each(ctx, `delete from dead_letters where id = ?`, letters)
}

func (b *Broker) each(ctx context.Context, query string, letters []string) (done int, err error) {
	err = b.db.write(ctx, func(exec func(string, ...any) (int64, error)) ([]byte, error) {
		done = 0
		for _, id := range letters {
			changed, err := exec(query, id)
			if err != nil {
				return nil, err
			}
			done += int(changed)
		}
		return nil, nil
	})
	if err == nil {
		b.wake()
	}
	return done, err
}
