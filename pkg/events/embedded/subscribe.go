package embedded

import (
	"context"
	"errors"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
)

// How often a group's place is kept.
const (
	keepEvents  = 64                     // events handled
	keepHandled = 100 * time.Millisecond // after one was handled
	keepSkipped = 5 * time.Second        // after one was passed over
)

// groupOwner owns the consumers that are groups of rooms. No principal is
// called so.
const groupOwner = ""

// Subscribe implements events.Subscriber. Of several subscriptions of a group,
// on any process, one at a time handles; another takes over when it leaves, or
// a lease after its process died.
func (b *Broker) Subscribe(ctx context.Context, sub events.Subscription, handle events.Handler) error {
	sub, err := sub.WithDefaults()
	if err != nil {
		return err
	}
	if b.life.Over() {
		return errClosed
	}
	ctx, leave := b.life.Join(ctx)
	defer leave()
	if sub.Group == "" {
		return b.broadcast(ctx, sub, handle)
	}
	start, err := b.place(ctx, sub.Start)
	if err != nil {
		return stopped(ctx, err)
	}
	for ctx.Err() == nil {
		if err := b.takeTurn(ctx, sub, start, handle); err != nil && ctx.Err() == nil {
			b.logger.Warn("events cannot be delivered; trying again", "group", sub.Group, "error", err)
		}
		pause(ctx, nil, b.cfg.poll)
	}
	return nil
}

var errClosed = errors.New("events: the broker is closed")

func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// broadcast delivers everything, and keeps no place.
func (b *Broker) broadcast(ctx context.Context, sub events.Subscription, handle events.Handler) error {
	at, err := b.place(ctx, sub.Start)
	if err != nil {
		return stopped(ctx, err)
	}
	for ctx.Err() == nil {
		err := b.follow(ctx, at, filter{subjects: sub.Subjects}, false, func(found located) error {
			if found.event != nil {
				if attempts, err := events.Deliver(ctx, sub, found.event, 0, handle); err != nil {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					b.logger.Warn("an event is passed over", "event_id", found.event.GetId(), "type", found.event.GetType(), "attempts", attempts, "error", err)
				}
			}
			at[found.log] = found.behind
			return nil
		}, nil)
		if err != nil && ctx.Err() == nil {
			b.logger.Warn("events cannot be read; trying again", "error", err)
			pause(ctx, nil, time.Second)
		}
	}
	return nil
}

// follow reads on from a place, which it does not change, and hands over every
// event, those passed over by the filter without the event, until ctx ends. With
// untilNow it ends behind what is there now. idle is called whenever it has come
// to the end, and before it waits; its duration bounds the wait.
func (b *Broker) follow(ctx context.Context, from places, f filter, untilNow bool, take func(located) error, idle func() (time.Duration, error)) error {
	woken, leave := b.listen()
	defer leave()
	r := &reader{logs: f.logs(b.logs), filter: f, at: places{}}
	r.at.advance(from)
	end := places{}
	if untilNow {
		var err error
		if end, err = b.place(ctx, events.Start{}); err != nil {
			return err
		}
	}
	for {
		list, more, err := r.next(ctx)
		if err != nil {
			return err
		}
		for _, found := range list {
			if untilNow && !found.behindOf(end) {
				found.event = nil
			}
			if err := take(found); err != nil {
				return err
			}
		}
		if more {
			continue
		}
		if untilNow {
			return nil
		}
		wait := time.Minute
		if idle != nil {
			if wait, err = idle(); err != nil {
				return err
			}
		}
		if b.mover != nil {
			wait = min(wait, b.cfg.poll) // other processes move too
		}
		if !pause(ctx, woken, wait) {
			return ctx.Err()
		}
		if !pause(ctx, nil, b.cfg.gather) {
			return ctx.Err()
		}
	}
}

// behindOf says that an event is before the end.
func (l located) behindOf(end places) bool { return !end[l.log].before(l.behind) }

// takeTurn handles a group's events while this subscription is the one to do so.
func (b *Broker) takeTurn(ctx context.Context, sub events.Subscription, start places, handle events.Handler) error {
	g := &group{b: b, sub: sub, handle: handle, holder: newHolder()}
	at, err := b.hold(ctx, sub.Group, g.holder, start)
	if err != nil || at == nil {
		return err // another has it
	}
	ctx, lost := context.WithCancel(ctx)
	defer lost()
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		b.renew(ctx, sub.Group, g.holder, lost)
	}()
	g.at, g.kept = at, time.Now()
	err = b.follow(ctx, at, filter{subjects: sub.Subjects}, false, func(found located) error { return g.take(ctx, found) }, func() (time.Duration, error) { return g.idle(ctx) })
	err = stopped(ctx, err)
	lost()
	<-renewed
	return errors.Join(err, g.leave())
}

// group is one turn of a subscription.
type group struct {
	b      *Broker
	sub    events.Subscription
	handle events.Handler
	holder string

	at      places // behind what is done
	handled int    // since the place was kept
	skipped int
	kept    time.Time
	looked  time.Time // for requeued dead letters
}

// take handles one event.
func (g *group) take(ctx context.Context, found located) error {
	if found.event != nil {
		attempts, err := events.Deliver(ctx, g.sub, found.event, 0, g.handle)
		if ctx.Err() != nil && err != nil {
			return ctx.Err()
		}
		if err != nil {
			if _, err := g.b.park(ctx, g.sub.Group, found.event, err, attempts); err != nil {
				return err
			}
		}
		g.handled++
	} else {
		g.skipped++
	}
	g.at[found.log] = found.behind
	return g.keep(ctx, false)
}

// keep writes the group's place down when it is time to.
func (g *group) keep(ctx context.Context, now bool) error {
	since := time.Since(g.kept)
	if !now && g.handled < keepEvents && (g.handled == 0 || since < keepHandled) && (g.skipped == 0 || since < keepSkipped) || g.handled+g.skipped == 0 {
		return nil
	}
	if err := g.b.keepPlace(ctx, g.sub.Group, g.holder, g.at); err != nil {
		return err
	}
	g.handled, g.skipped, g.kept = 0, 0, time.Now()
	return nil
}

// idle keeps the place, and handles what was put back.
func (g *group) idle(ctx context.Context) (time.Duration, error) {
	if err := g.keep(ctx, g.handled > 0); err != nil {
		return 0, err
	}
	return requeuedPoll, g.requeued(ctx)
}

// requeuedPoll is how often a group looks for dead letters that were put back.
const requeuedPoll = time.Second

func (g *group) requeued(ctx context.Context) error {
	if time.Since(g.looked) < requeuedPoll-10*time.Millisecond {
		return nil
	}
	g.looked = time.Now()
	list, err := g.b.putBack(ctx, groupOwner, g.sub.Group, true)
	if err != nil {
		return err
	}
	for _, letter := range list {
		attempts, err := events.Deliver(ctx, g.sub, letter.GetEvent(), 0, g.handle)
		switch {
		case ctx.Err() != nil && err != nil:
			return ctx.Err()
		case err != nil:
			_, err = g.b.parkAgain(ctx, groupOwner, true, g.sub.Group, letter.GetId(), err, attempts)
		default:
			_, err = g.b.Discard(ctx, []string{letter.GetId()})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// renew keeps a turn until ctx ends, or ends it where it was lost.
func (b *Broker) renew(ctx context.Context, name, holder string, lost context.CancelFunc) {
	for pause(ctx, nil, b.cfg.lease/3) {
		if held, err := b.extend(ctx, name, holder); err == nil && !held {
			b.logger.Warn("another process has taken a group over", "group", name)
			lost()
			return
		}
	}
}

// leave keeps the place and lets another go on.
func (g *group) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), g.b.cfg.lease)
	defer cancel()
	return g.b.release(ctx, g.sub.Group, g.holder, g.at)
}
