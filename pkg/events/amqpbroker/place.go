package amqpbroker

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/gptmesh/gptmesh/pkg/events"
	amqp "github.com/rabbitmq/amqp091-go"
)

// errHeld says that another member of the group reads.
var errHeld = errors.New("amqp: another reads for the group")

// hold makes this connection the one that reads for a group.
func (b *Broker) hold(l *link, group string) error {
	_, err := l.ch.QueueDeclare(b.lock(group), false, false, true, false, nil)
	var refused *amqp.Error
	if errors.As(err, &refused) && refused.Code == amqp.ResourceLocked {
		return errHeld
	}
	if err != nil {
		return fmt.Errorf("amqp: holder: %w", err)
	}
	if err := l.declare(b.place(group), amqp.Table{"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "drop-head"}); err != nil {
		return err
	}
	return l.declare(b.requeued(group), amqp.Table{"x-queue-type": "quorum"})
}

// resume returns a group's place; false where it has none yet. The caller holds
// the group.
func (b *Broker) resume(ctx context.Context, l *link, group string) (at int64, known bool, err error) {
	for try := 0; ; try++ {
		d, ok, err := l.ch.Get(b.place(group), false)
		if err != nil {
			return 0, false, fmt.Errorf("amqp: place: %w", err)
		}
		if ok {
			if at, err = strconv.ParseInt(string(d.Body), 10, 64); err != nil {
				return 0, false, fmt.Errorf("amqp: place of %s: %w", group, err)
			}
			// Kept anew before it is taken, so that it is never nowhere.
			if err := b.keep(ctx, l, group, at); err != nil {
				return 0, false, err
			}
			return at, true, d.Ack(false)
		}
		if try == 2 { // one that has just died may have had it in hand
			return 0, false, nil
		}
		if events.Pause(ctx, again); ctx.Err() != nil {
			return 0, false, ctx.Err()
		}
	}
}

// keep keeps a group's place: the next offset to read.
func (b *Broker) keep(ctx context.Context, l *link, group string, at int64) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := l.publish(ctx, []message{{key: b.place(group), body: strconv.AppendInt(nil, at, 10)}})
	return err
}
