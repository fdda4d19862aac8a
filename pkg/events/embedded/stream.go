package embedded

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
)

// Errors of streams and consumers.
var (
	// ErrCursor: the cursor is none of this log.
	ErrCursor = errCursor
	// ErrUnknownConsumer: there is no consumer of this name.
	ErrUnknownConsumer = errors.New("events: no consumer of this name")
	// ErrNoEvent: no event that the caller may see comes with this cursor.
	ErrNoEvent = errors.New("events: no event comes with this cursor")
)

// Stream says what a stream delivers.
type Stream struct {
	// Owner is the principal whose events these are, and whose the consumer is.
	Owner string
	// All gives the events of every owner.
	All bool
	// Consumer is the name under which the place is kept; see Acknowledge. Empty
	// keeps none.
	Consumer string
	// Subjects and Key keep what matches. Empty means all.
	Subjects []string
	Key      string
	// Start is where to begin; with a consumer, one that is not known yet.
	Start events.Start
	// AfterCursor takes the place of Start.
	AfterCursor string
	// UntilNow ends the stream behind what is there now.
	UntilNow bool
	// Beat is the longest silence.
	Beat time.Duration
}

// Delivery is an event, or a sign of life without one.
type Delivery struct {
	Event *events.Event
	// Cursor is the place behind it.
	Cursor string
	// Gap says that events before it may be missing: the log begins later than
	// the place asked for.
	Gap bool
}

// Follow streams events to take until ctx ends, take fails or, with UntilNow,
// all is delivered. It begins with a sign of life.
func (b *Broker) Follow(ctx context.Context, s Stream, take func(Delivery) error) error {
	if b.life.Over() {
		return errClosed
	}
	ctx, leave := b.life.Join(ctx)
	defer leave()
	at, err := b.begin(ctx, s)
	if err != nil {
		return err
	}
	gap, err := b.gap(ctx, at)
	if err != nil {
		return err
	}
	if err := take(Delivery{Cursor: at.cursor(), Gap: gap}); err != nil {
		return err
	}
	last := time.Now()
	f := filter{subjects: s.Subjects, owner: s.Owner, key: s.Key}
	if s.All {
		f.owner = ""
	}
	again := map[string]bool{} // dead letters that are put back and were delivered
	came := last
	return b.follow(ctx, at, f, s.UntilNow, func(found located) error {
		at[found.log] = found.behind
		if found.event == nil {
			return nil
		}
		last = time.Now()
		return take(Delivery{Event: found.event, Cursor: at.cursorOf(found.log)})
	}, func() (time.Duration, error) {
		if s.Consumer != "" && !s.UntilNow {
			letters, err := b.putBack(ctx, s.Owner, s.Consumer, s.All)
			if err != nil {
				return 0, err
			}
			before := again
			again = make(map[string]bool, len(letters))
			for _, letter := range letters {
				again[letter.GetId()] = true
				if before[letter.GetId()] {
					continue
				}
				if err := take(Delivery{Event: letter.GetEvent(), Cursor: letterCursor + letter.GetId()}); err != nil {
					return 0, err
				}
			}
		}
		if s.Consumer != "" && time.Since(came) > b.cfg.ForgetAfter/4 {
			// It is here, though nothing comes that it could acknowledge.
			came = time.Now()
			if err := b.comesBy(ctx, s.Owner, s.Consumer); err != nil {
				return 0, err
			}
		}
		if s.Beat <= 0 {
			return time.Minute, nil
		}
		if silent := time.Since(last); silent < s.Beat {
			return s.Beat - silent, nil
		}
		last = time.Now()
		return s.Beat, take(Delivery{Cursor: at.cursor()})
	})
}

// begin finds where a stream begins, and makes its consumer known.
func (b *Broker) begin(ctx context.Context, s Stream) (places, error) {
	if s.Consumer != "" {
		if at, err := b.consumer(ctx, s.Owner, s.Consumer); err != nil || at != nil {
			return at, err
		}
	}
	var at places
	var err error
	if s.AfterCursor != "" {
		at, err = parseCursor(s.AfterCursor)
	} else {
		at, err = b.place(ctx, s.Start)
	}
	if err != nil || s.Consumer == "" {
		return at, err
	}
	return at, b.putConsumer(ctx, s.Owner, s.Consumer, at)
}

// gap says that the log begins behind a place that is not its beginning.
func (b *Broker) gap(ctx context.Context, at places) (bool, error) {
	for _, l := range b.logs {
		if from := at[l.name].seq; from > 0 {
			first, _, err := l.bounds(ctx)
			if err != nil || first > from {
				return first > from, err
			}
		}
	}
	return false, nil
}

func (b *Broker) putConsumer(ctx context.Context, owner, name string, at places) error {
	_, err := b.db.exec(ctx, `insert into consumers (owner, name, cursor, update_micros) values (?, ?, ?, ?)
		on conflict (owner, name) do update set cursor = excluded.cursor, update_micros = excluded.update_micros`,
		owner, name, at.cursor(), time.Now().UnixMicro())
	return err
}

// comesBy notes that a consumer is there.
func (b *Broker) comesBy(ctx context.Context, owner, name string) error {
	_, err := b.db.exec(ctx, `update consumers set update_micros = ? where owner = ? and name = ?`, time.Now().UnixMicro(), owner, name)
	return err
}

// letterCursor begins the cursor of a dead letter that was put back.
const letterCursor = "dead~"

// Acknowledge moves a consumer behind a cursor, never back. all says, as that of
// its stream did, that it gets the events of every owner.
func (b *Broker) Acknowledge(ctx context.Context, owner string, all bool, name, cursor string) error {
	if id, ok := strings.CutPrefix(cursor, letterCursor); ok {
		return b.handled(ctx, owner, all, name, id)
	}
	to, err := parseCursor(cursor)
	if err != nil {
		return err
	}
	at, err := b.consumer(ctx, owner, name)
	if err != nil {
		return err
	}
	if at == nil {
		return ErrUnknownConsumer
	}
	at.advance(to)
	return b.putConsumer(ctx, owner, name, at)
}

// Seek moves a consumer to a start, or makes it known there.
func (b *Broker) Seek(ctx context.Context, owner, name string, start events.Start, afterCursor string) error {
	at, err := b.begin(ctx, Stream{Start: start, AfterCursor: afterCursor})
	if err != nil {
		return err
	}
	return b.putConsumer(ctx, owner, name, at)
}

// RejectAt makes the event that came with a cursor a dead letter of a consumer,
// and moves the consumer behind it. ErrNoEvent where there is no such event.
func (b *Broker) RejectAt(ctx context.Context, owner string, all bool, name, cursor string, why error) (id string, err error) {
	if id, ok := strings.CutPrefix(cursor, letterCursor); ok {
		found, err := b.parkAgain(ctx, owner, all, name, id, why, 1)
		if err == nil && !found {
			err = ErrNoEvent
		}
		return id, err
	}
	to, in, err := parseCursorOf(cursor)
	if err != nil {
		return "", err
	}
	seen := owner
	if all {
		seen = ""
	}
	event, err := b.eventBefore(ctx, seen, in, to[in])
	if err != nil {
		return "", err
	}
	if id, err = b.park(ctx, name, event, why, 1); err != nil {
		return "", err
	}
	return id, b.Acknowledge(ctx, owner, all, name, cursor)
}

// eventBefore finds the event right before a place.
func (b *Broker) eventBefore(ctx context.Context, owner, in string, end place) (*events.Event, error) {
	for _, l := range b.logs {
		if l.name != in || end.seq == 0 {
			continue
		}
		from := end.seq
		if end.index == 0 {
			from--
		}
		r := &reader{logs: []*log{l}, filter: filter{owner: owner}, at: places{l.name: {seq: from}}}
		list, _, err := r.next(ctx)
		if err != nil {
			return nil, err
		}
		for _, found := range list {
			if found.behind == end && found.event != nil {
				return found.event, nil
			}
		}
	}
	return nil, ErrNoEvent
}

// Consumer is a consumer and its place.
type Consumer struct {
	Name, Cursor string
	Updated      time.Time
}

// Consumers returns an owner's consumers by name.
func (b *Broker) Consumers(ctx context.Context, owner string) (list []Consumer, err error) {
	err = b.db.query(ctx, func(scan func(...any) error) error {
		var c Consumer
		var micros int64
		if err := scan(&c.Name, &c.Cursor, &micros); err != nil {
			return err
		}
		c.Updated = time.UnixMicro(micros)
		list = append(list, c)
		return nil
	}, `select name, cursor, update_micros from consumers where owner = ? order by name`, owner)
	return list, err
}

// DeleteConsumer forgets a consumer.
func (b *Broker) DeleteConsumer(ctx context.Context, owner, name string) error {
	_, err := b.db.exec(ctx, `delete from consumers where owner = ? and name = ?`, owner, name)
	return err
}
