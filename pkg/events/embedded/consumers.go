package embedded

import (
	"context"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/ids"
)

// idSlack is how much earlier than an event's id its commit is looked for: ids
// have milliseconds, and clocks differ.
const idSlack = 5 * time.Second

// place finds a start in every log.
func (b *Broker) place(ctx context.Context, start events.Start) (places, error) {
	out := places{}
	if b.mover != nil && !start.Earliest {
		// What this process has committed is not newer than now, and has a place.
		if err := b.mover.moveAll(ctx); err != nil {
			return nil, err
		}
	}
	if start.AfterID != "" {
		return b.afterID(ctx, start.AfterID)
	}
	for _, l := range b.logs {
		switch {
		case start.Earliest:
			out[l.name] = place{}
		case !start.Time.IsZero():
			seq, err := l.at(ctx, start.Time)
			if err != nil {
				return nil, err
			}
			out[l.name] = place{seq: seq}
		default:
			_, last, err := l.bounds(ctx)
			if err != nil {
				return nil, err
			}
			out[l.name] = place{seq: last + 1}
		}
	}
	return out, nil
}

// afterID finds the place behind an event: in its own log behind it, in others
// behind what was committed before its commit.
func (b *Broker) afterID(ctx context.Context, id string) (places, error) {
	for _, l := range b.logs {
		r := &reader{logs: []*log{l}, at: places{}}
		if t, ok := ids.Time("evt", id); ok {
			seq, err := l.at(ctx, t.Add(-idSlack))
			if err != nil {
				return nil, err
			}
			r.at[l.name] = place{seq: seq}
		}
		for {
			list, more, err := r.next(ctx)
			if err != nil {
				return nil, err
			}
			for _, found := range list {
				if found.event.GetId() == id {
					return b.besides(ctx, found)
				}
			}
			if !more {
				break
			}
		}
	}
	return nil, events.ErrUnknownID
}

// besides are the places that belong to one event.
func (b *Broker) besides(ctx context.Context, found located) (places, error) {
	out := places{}
	for _, l := range b.logs {
		if l.name == found.log {
			out[l.name] = found.behind
			continue
		}
		seq, err := l.at(ctx, found.event.GetTime().AsTime())
		if err != nil {
			return nil, err
		}
		out[l.name] = place{seq: seq}
	}
	return out, nil
}

// hold takes a group's turn and returns its place; nil where another has it. A
// group that is not known begins at start.
func (b *Broker) hold(ctx context.Context, name, holder string, start places) (places, error) {
	now := time.Now()
	if _, err := b.db.exec(ctx, `insert into consumers (owner, name, cursor, update_micros) values (?, ?, ?, ?)
		on conflict (owner, name) do nothing`, groupOwner, name, start.cursor(), now.UnixMicro()); err != nil {
		return nil, err
	}
	changed, err := b.db.exec(ctx, `update consumers set holder = ?, held_until = ? where owner = ? and name = ? and held_until < ?`,
		holder, now.Add(b.cfg.lease).UnixMicro(), groupOwner, name, now.UnixMicro())
	if err != nil || changed == 0 {
		return nil, err
	}
	return b.consumer(ctx, groupOwner, name)
}

// extend keeps a group's turn; false where it was lost.
func (b *Broker) extend(ctx context.Context, name, holder string) (bool, error) {
	changed, err := b.db.exec(ctx, `update consumers set held_until = ? where owner = ? and name = ? and holder = ?`,
		time.Now().Add(b.cfg.lease).UnixMicro(), groupOwner, name, holder)
	return changed > 0, err
}

// keepPlace keeps a group's place, where it still has its turn.
func (b *Broker) keepPlace(ctx context.Context, name, holder string, at places) error {
	_, err := b.db.exec(ctx, `update consumers set cursor = ?, update_micros = ? where owner = ? and name = ? and holder = ?`,
		at.cursor(), time.Now().UnixMicro(), groupOwner, name, holder)
	return err
}

// release keeps a group's place and ends its turn.
func (b *Broker) release(ctx context.Context, name, holder string, at places) error {
	_, err := b.db.exec(ctx, `update consumers set cursor = ?, update_micros = ?, holder = '', held_until = 0 where owner = ? and name = ? and holder = ?`,
		at.cursor(), time.Now().UnixMicro(), groupOwner, name, holder)
	return err
}

// consumer returns the place of a consumer; nil where it is not known.
func (b *Broker) consumer(ctx context.Context, owner, name string) (at places, err error) {
	var cursor string
	err = b.db.query(ctx, func(scan func(...any) error) error {
		if err := scan(&cursor); err != nil {
			return err
		}
		at, err = parseCursor(cursor)
		return err
	}, `select cursor from consumers where owner = ? and name = ?`, owner, name)
	return at, err
}

// lowest is the lowest place of each log that a consumer, seen since the time,
// has still to read.
func (b *Broker) lowest(ctx context.Context, since time.Time) (places, error) {
	out := places{}
	err := b.db.query(ctx, func(scan func(...any) error) error {
		var cursor string
		if err := scan(&cursor); err != nil {
			return err
		}
		at, err := parseCursor(cursor)
		if err != nil {
			return err
		}
		for name, p := range at {
			if q, ok := out[name]; !ok || p.before(q) {
				out[name] = p
			}
		}
		return nil
	}, `select cursor from consumers where update_micros >= ?`, since.UnixMicro())
	return out, err
}
