package amqpbroker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	amqp "github.com/rabbitmq/amqp091-go"
	"google.golang.org/protobuf/proto"
)

// How often a group's place is kept.
const (
	keepEvents = 64
	keepAfter  = 100 * time.Millisecond
)

// takeover is how often a member looks whether it may read.
const takeover = 500 * time.Millisecond

// Subscribe implements events.Subscriber.
func (b *Broker) Subscribe(ctx context.Context, sub events.Subscription, handle events.Handler) error {
	sub, err := sub.WithDefaults()
	if err != nil {
		return err
	}
	ctx, leave := b.life.Join(ctx)
	defer leave()
	r := &reading{b: b, sub: sub, handle: handle, since: time.Now()}
	for wait := again; ctx.Err() == nil; events.Pause(ctx, wait) {
		err := r.connected(ctx)
		wait = again
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, events.ErrUnknownID):
			return err
		case errors.Is(err, errHeld):
			wait = takeover
		case err != nil:
			b.cfg.Logger.Warn("events cannot be received; trying again", "group", sub.Group, "error", err)
		}
	}
	return nil
}

// reading is one subscription.
type reading struct {
	b      *Broker
	sub    events.Subscription
	handle events.Handler

	since   time.Time // when it was asked for
	tried   bool      // the start was looked for, and may not have been found
	located bool
	at      int64 // the next offset to read, where located

	handled, skipped int // since the place was kept
}

// connected reads over one connection until it ends.
func (r *reading) connected(ctx context.Context) error {
	l, err := r.b.connect(ctx)
	if err != nil {
		return err
	}
	defer l.close()
	if err := r.b.topology(l); err != nil {
		return err
	}
	// A handler whose connection is gone leaves its event to another.
	ctx, cut := context.WithCancel(ctx)
	defer cut()
	lost := l.conn.NotifyClose(make(chan *amqp.Error, 1))
	go func() { <-lost; cut() }() // closed by l.close at the latest

	if r.sub.Group != "" {
		if err := r.b.hold(l, r.sub.Group); err != nil {
			return err
		}
		at, known, err := r.b.resume(ctx, l, r.sub.Group)
		if err != nil {
			return err
		}
		if known {
			r.at, r.located = at, true
		} else {
			r.located = false
		}
	}
	if !r.located {
		start := r.sub.Start
		if start == (events.Start{}) && r.tried {
			start.Time = r.since // what came while there was no server is newer
		}
		r.tried = true
		at, err := r.b.locate(ctx, l, start)
		if err != nil {
			return err
		}
		r.at, r.located = at, true
		if r.sub.Group != "" {
			if err := r.b.keep(ctx, l, r.sub.Group, at); err != nil {
				return err
			}
		}
	}
	err = r.follow(ctx, l)
	if r.sub.Group == "" {
		return err
	}
	if kept := r.keep(context.WithoutCancel(ctx), l, true); kept != nil {
		return errors.Join(err, kept)
	}
	return err
}

// follow handles what comes.
func (r *reading) follow(ctx context.Context, l *link) error {
	stream, _, err := l.read(r.b.log(), r.at) // until the connection ends
	if err != nil {
		return err
	}
	var again <-chan amqp.Delivery
	if r.sub.Group != "" {
		ch, err := l.conn.Channel()
		if err == nil {
			err = ch.Qos(1, 0, false)
		}
		if err == nil {
			again, err = ch.Consume(r.b.requeued(r.sub.Group), "", false, false, false, false, nil)
		}
		if err != nil {
			return fmt.Errorf("amqp: requeued events: %w", err)
		}
	}
	quiet := time.NewTimer(keepAfter)
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-quiet.C:
			if err := r.keep(ctx, l, true); err != nil {
				return err
			}
			continue
		case d, ok := <-stream:
			if !ok {
				return errCut
			}
			if offset := offsetOf(d); offset >= r.at { // a stream begins with a whole chunk
				if err := r.take(ctx, d, offset); err != nil || ctx.Err() != nil {
					return err
				}
			}
			if err := d.Ack(false); err != nil {
				return err
			}
		case d, ok := <-again:
			if !ok {
				return errCut
			}
			if err := r.deliver(ctx, d.Body); err != nil || ctx.Err() != nil {
				return err // the server puts it back
			}
			if err := d.Ack(false); err != nil {
				return err
			}
		}
		if err := r.keep(ctx, l, false); err != nil {
			return err
		}
		quiet.Reset(keepAfter)
	}
}

// take handles one message of the stream.
func (r *reading) take(ctx context.Context, d amqp.Delivery, offset int64) error {
	if d.Type == "" || len(r.sub.Subjects) > 0 && !events.MatchAny(r.sub.Subjects, d.Type) {
		r.skipped++
	} else {
		if err := r.deliver(ctx, d.Body); err != nil || ctx.Err() != nil {
			return err
		}
		r.handled++
	}
	r.at = offset + 1
	return nil
}

// deliver handles one event. It returns with ctx done where the event is left to
// another.
func (r *reading) deliver(ctx context.Context, body []byte) error {
	event := new(events.Event)
	attempts, err := 0, proto.Unmarshal(body, event)
	if err == nil {
		if attempts, err = events.Deliver(ctx, r.sub, event, 0, r.handle); err == nil {
			return nil
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	if r.sub.Group == "" {
		r.b.cfg.Logger.Warn("an event is passed over", "event_id", event.GetId(), "type", event.GetType(), "attempts", attempts, "error", err)
		return nil
	}
	return r.b.park(ctx, r.sub.Group, event, err, attempts)
}

// keepSkipped is how many events are passed over before the place is kept.
const keepSkipped = 1000

// keep keeps the group's place when it is time to; with quiet, where anything
// was handled.
func (r *reading) keep(ctx context.Context, l *link, quiet bool) error {
	due := r.handled >= keepEvents || r.skipped >= keepSkipped || quiet && r.handled+r.skipped > 0
	if r.sub.Group == "" || !due {
		return nil
	}
	if err := r.b.keep(ctx, l, r.sub.Group, r.at); err != nil {
		return err
	}
	r.handled, r.skipped = 0, 0
	return nil
}
