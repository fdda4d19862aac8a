package amqpbroker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/ids"
	amqp "github.com/rabbitmq/amqp091-go"
)

// prefetch is how many messages of a stream are under way.
const prefetch = 64

// slack is how much earlier than by our clocks a message may lie in a stream.
const slack = 5 * time.Second

// read begins to read a stream. Each delivery must be acknowledged.
func (l *link) read(stream string, from any) (<-chan amqp.Delivery, *amqp.Channel, error) {
	ch, err := l.conn.Channel()
	if err != nil {
		return nil, nil, fmt.Errorf("amqp: channel: %w", err)
	}
	if err := ch.Qos(prefetch, 0, false); err != nil {
		return nil, nil, fmt.Errorf("amqp: qos: %w", err)
	}
	deliveries, err := ch.Consume(stream, "", false, false, false, false, amqp.Table{"x-stream-offset": from})
	if err != nil {
		return nil, nil, fmt.Errorf("amqp: stream %s: %w", stream, err)
	}
	return deliveries, ch, nil
}

func offsetOf(d amqp.Delivery) int64 {
	offset, _ := d.Headers["x-stream-offset"].(int64)
	return offset
}

func publishedAt(d amqp.Delivery) time.Time {
	micros, _ := d.Headers[headerTime].(int64)
	return time.UnixMicro(micros)
}

var errCut = errors.New("amqp: the connection is gone")

// scan visits what lies in a stream, from a place to what is there now, until
// visit says that it has what it wants. It returns the offset of the message
// where that was, or the one behind the last. The end is found by a mark: a
// server does not say where it is.
func (b *Broker) scan(ctx context.Context, l *link, stream string, from any, visit func(amqp.Delivery) bool) (at int64, found bool, err error) {
	deliveries, ch, err := l.read(stream, from)
	if err != nil {
		return 0, false, err
	}
	defer ch.Close()
	mark := ids.New("mark")
	if err := b.send(ctx, stream, mark, nil); err != nil {
		return 0, false, err
	}
	for {
		select {
		case <-ctx.Done():
			return 0, false, ctx.Err()
		case d, ok := <-deliveries:
			if !ok {
				return 0, false, errCut
			}
			if d.MessageId == mark {
				return offsetOf(d) + 1, false, nil
			}
			if visit != nil && visit(d) {
				return offsetOf(d), true, nil
			}
			if err := d.Ack(false); err != nil {
				return 0, false, err
			}
		}
	}
}

// locate is the offset of the first event of a start.
func (b *Broker) locate(ctx context.Context, l *link, start events.Start) (int64, error) {
	switch {
	case start.Earliest:
		return 0, nil
	case !start.Time.IsZero():
		at, _, err := b.scan(ctx, l, b.log(), before(start.Time), func(d amqp.Delivery) bool {
			return d.Type != "" && !publishedAt(d).Before(start.Time)
		})
		return at, err
	case start.AfterID != "":
		var from any = "first"
		if t, ok := ids.Time("evt", start.AfterID); ok {
			from = before(t)
		}
		at, found, err := b.scan(ctx, l, b.log(), from, func(d amqp.Delivery) bool { return d.MessageId == start.AfterID })
		if err == nil && !found {
			err = events.ErrUnknownID
		}
		return at + 1, err
	}
	at, _, err := b.scan(ctx, l, b.log(), "next", nil)
	return at, err
}

// before is the place in a stream from which a time is looked for.
func before(t time.Time) any {
	if t = t.Add(-slack); t.Unix() <= 0 {
		return "first"
	}
	return t
}
