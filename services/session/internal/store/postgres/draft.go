package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

// freshFor is how old an id may be, by its own word, to be taken for one that no
// session has.
const freshFor = 10 * time.Second

// fresh says that an id was made for a new session, as it seems. Ids that clients choose
// are used again, and then have higher keys than before: those are given in a transaction.
func fresh(id string) bool {
	made, ok := ids.Time("ses", id)
	return ok && time.Since(made) < freshFor
}

// errDoubt ends a transaction on what was seen: only one in the tables can tell.
var errDoubt = errors.New("session store: needs the tables")

// draft implements store.Tx on what this process has seen of one session, and gathers
// what is done to it, to be written on condition that the session is still so. It
// serves the usual turn, which makes a session, or reads one and moves it on.
type draft struct {
	s     *Store
	entry *entry         // of the session that was read, whose turn is held
	from  *store.Session // as it was seen; nil for one that is made
	to    *store.Session // as it will be; nil where nothing was done
	add   store.Addition
	over  bool // by errDoubt
}

func (d *draft) doubt() error {
	d.over = true
	return errDoubt
}

func (d *draft) leave() {
	if d.entry != nil {
		d.entry.leave()
		d.entry = nil
	}
}

// Session implements store.Tx.
func (d *draft) Session(ctx context.Context, owner, id string) (*store.Session, error) {
	switch {
	case d.to != nil && d.to.ID == id && d.to.Owner == owner:
		return d.to.Clone(), nil
	case d.to != nil || d.entry != nil && d.entry.id != id:
		return nil, d.doubt()
	case d.entry == nil:
		e := d.s.memory.get(id)
		if e == nil {
			if _, err := d.s.Session(ctx, owner, id); err != nil {
				return nil, err
			}
			if e = d.s.memory.get(id); e == nil {
				return nil, d.doubt()
			}
		}
		if err := e.take(ctx); err != nil {
			return nil, err
		}
		d.entry = e
		if d.from = d.s.memory.current(e); d.from == nil {
			return nil, d.doubt()
		}
	}
	if d.from.Owner != owner {
		return nil, d.doubt()
	}
	return d.from.Clone(), nil
}

// SessionByKey implements store.Tx.
func (d *draft) SessionByKey(context.Context, int64) (*store.Session, error) { return nil, d.doubt() }

// MessagesByID implements store.Tx. What it reads is as of the session that was seen, or
// the write is refused.
func (d *draft) MessagesByID(ctx context.Context, key int64, ids []string) (map[string]*store.Message, error) {
	if d.to != nil || d.from == nil || d.from.Key != key {
		return nil, d.doubt()
	}
	none, some := d.s.memory.tells(d.entry, ids)
	switch {
	case some:
		return nil, d.doubt()
	case none:
		return nil, nil
	}
	list, err := collect(ctx, d.s, messagesByID, []any{key, ids}, collectMessage)
	return byID(list), err
}

// MessageAt implements store.Tx.
func (d *draft) MessageAt(context.Context, int64, int64) (*store.Message, error) {
	return nil, d.doubt()
}

// Insert implements store.Tx.
func (d *draft) Insert(ctx context.Context, session *store.Session, add store.Addition) error {
	if d.to != nil || d.entry != nil || !d.s.fresh(session.ID) || d.s.memory.get(session.ID) != nil {
		return d.doubt()
	}
	key, err := d.s.keys.next(ctx)
	if err != nil {
		return known(err)
	}
	session.Key = key
	d.set(session, add)
	return nil
}

// Save implements store.Tx.
func (d *draft) Save(_ context.Context, session *store.Session, add store.Addition) error {
	if d.to != nil || d.from == nil || d.from.Key != session.Key || session.Version <= d.from.Version {
		return d.doubt()
	}
	d.set(session, add)
	return nil
}

func (d *draft) set(session *store.Session, add store.Addition) { d.to, d.add = session.Clone(), add }

// CopyMessages implements store.Tx.
func (d *draft) CopyMessages(context.Context, int64, int64, *store.Session) error { return d.doubt() }

// Delete implements store.Tx.
func (d *draft) Delete(context.Context, *store.Session, store.Tombstone) error { return d.doubt() }

func byID(list []*store.Message) map[string]*store.Message {
	found := make(map[string]*store.Message, len(list))
	for _, m := range list {
		found[m.ID] = m
	}
	return found
}
