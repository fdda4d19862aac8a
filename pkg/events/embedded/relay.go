package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
)

// relayGroup is the group that hands the log on to another broker.
const relayGroup = "_relay"

// relayBatch is how many events are handed on at a time.
const relayBatch = 256

// Relay hands every event on to another broker, in order and in batches, until
// ctx ends. Of several processes on one log, one at a time does it. What the
// other broker does not take now is tried again; what it will never take becomes
// a dead letter of the relay, "_relay_" and the name, and the rest goes on.
func (b *Broker) Relay(ctx context.Context, name string, to events.Broker) error {
	ctx, leave := b.life.Join(ctx)
	defer leave()
	wait := 100 * time.Millisecond
	for ctx.Err() == nil {
		r := &relay{b: b, name: name, to: to, group: relayGroup + "_" + name, holder: newHolder()}
		err := r.turn(ctx)
		if r.worked {
			wait = 100 * time.Millisecond
		}
		if err != nil && ctx.Err() == nil {
			b.deps.Metrics.RelayFailed(name)
			b.logger.Warn("events cannot be handed on; they are kept and tried again", "broker", name, "error", err)
			wait = min(2*wait, 5*time.Second)
		}
		pause(ctx, nil, wait)
	}
	return nil
}

// relay is one turn of handing on.
type relay struct {
	b                   *Broker
	name, group, holder string
	to                  events.Broker
	worked              bool

	batch  []*events.Event
	behind []located
	sent   places
}

// turn hands events on while this process is the one to do so.
func (r *relay) turn(ctx context.Context) error {
	at, err := r.b.hold(ctx, r.group, r.holder, places{})
	if err != nil || at == nil {
		return err
	}
	ctx, lost := context.WithCancel(ctx)
	defer lost()
	renewed := make(chan struct{})
	go func() { defer close(renewed); r.b.renew(ctx, r.group, r.holder, lost) }()
	r.sent = places{}
	r.sent.advance(at)
	err = r.b.follow(ctx, at, filter{}, false, func(found located) error {
		if found.event == nil {
			return nil
		}
		r.batch, r.behind = append(r.batch, found.event), append(r.behind, found)
		if len(r.batch) >= relayBatch {
			return r.flush(ctx)
		}
		return nil
	}, func() (time.Duration, error) {
		if err := r.flush(ctx); err != nil {
			return 0, err
		}
		return requeuedPoll, r.again(ctx)
	})
	err = stopped(ctx, err)
	lost()
	<-renewed
	release, cancel := context.WithTimeout(context.Background(), r.b.cfg.lease)
	defer cancel()
	return errors.Join(err, r.b.release(release, r.group, r.holder, r.sent))
}

// flush hands the batch on and keeps the place behind what was taken.
func (r *relay) flush(ctx context.Context) error {
	for len(r.batch) > 0 {
		taken, err := r.to.Publish(ctx, r.batch)
		r.b.deps.Metrics.Relayed(r.name, taken)
		if events.IsRejected(err) && taken < len(r.batch) && ctx.Err() == nil {
			if _, err := r.b.park(ctx, r.group, r.batch[taken], err, 1); err != nil {
				return err
			}
			taken, err = taken+1, nil
		}
		for _, found := range r.behind[:taken] {
			r.sent[found.log] = found.behind
		}
		if taken > 0 {
			r.worked = true
			if err := r.b.keepPlace(context.WithoutCancel(ctx), r.group, r.holder, r.sent); err != nil {
				return err
			}
		}
		r.batch, r.behind = r.batch[taken:], r.behind[taken:]
		if err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	r.batch, r.behind = r.batch[:0], r.behind[:0]
	return nil
}

// again hands on what was given up and put back.
func (r *relay) again(ctx context.Context) error {
	letters, err := r.b.putBack(ctx, groupOwner, r.group, true)
	if err != nil {
		return err
	}
	for _, letter := range letters {
		taken, err := r.to.Publish(ctx, []*events.Event{letter.GetEvent()})
		switch {
		case taken == 1:
			_, err = r.b.Discard(ctx, []string{letter.GetId()})
		case events.IsRejected(err) && ctx.Err() == nil:
			_, err = r.b.parkAgain(ctx, groupOwner, true, r.group, letter.GetId(), err, 1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
