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
// other broker does not take is tried again: nothing is passed over.
func (b *Broker) Relay(ctx context.Context, name string, to events.Broker) error {
	b.work.Add(1)
	defer b.work.Done()
	ctx, done := b.joined(ctx)
	defer done()
	group := relayGroup + "_" + name
	wait := 100 * time.Millisecond
	for ctx.Err() == nil {
		worked, err := b.relayTurn(ctx, group, to)
		if worked {
			wait = 100 * time.Millisecond
		}
		if err != nil && ctx.Err() == nil {
			b.logger.Warn("events cannot be handed on; they are kept and tried again", "broker", name, "error", err)
			wait = min(2*wait, 5*time.Second)
		}
		pause(ctx, nil, wait)
	}
	return nil
}

// relayTurn hands events on while this process is the one to do so.
func (b *Broker) relayTurn(ctx context.Context, group string, to events.Broker) (worked bool, err error) {
	holder := newHolder()
	at, err := b.hold(ctx, group, holder, places{})
	if err != nil || at == nil {
		return false, err
	}
	ctx, lost := context.WithCancel(ctx)
	defer lost()
	renewed := make(chan struct{})
	go func() { defer close(renewed); b.renew(ctx, group, holder, lost) }()
	var batch []*events.Event
	var behind []located
	sent := places{}
	sent.advance(at)
	flush := func() error {
		for len(batch) > 0 {
			taken, err := to.Publish(ctx, batch)
			for _, found := range behind[:taken] {
				sent[found.log] = found.behind
			}
			if taken > 0 {
				worked = true
				if err := b.keepPlace(context.WithoutCancel(ctx), group, holder, sent); err != nil {
					return err
				}
			}
			batch, behind = batch[taken:], behind[taken:]
			if err != nil {
				return fmt.Errorf("publish: %w", err)
			}
		}
		batch, behind = batch[:0], behind[:0]
		return nil
	}
	err = b.follow(ctx, at, filter{}, false, func(found located) error {
		if found.event == nil {
			return nil
		}
		batch, behind = append(batch, found.event), append(behind, found)
		if len(batch) >= relayBatch {
			return flush()
		}
		return nil
	}, func() (time.Duration, error) { return time.Minute, flush() })
	err = stopped(ctx, err)
	lost()
	<-renewed
	release, cancel := context.WithTimeout(context.Background(), b.cfg.lease)
	defer cancel()
	return worked, errors.Join(err, b.release(release, group, holder, sent))
}
