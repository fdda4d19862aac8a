package sqlite

import (
	"context"
	"errors"
	"slices"

	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

// Sole implements store.Store over a database with a journal, to which this process
// alone writes: transactions run in memory, and their writes go into the journal, and
// later into the tables. A caller that holds a durable.Group leaves the waiting to it.
//
// Sessions that were written or read of late are remembered, and all that the tables
// do not have yet. So neither a read of one of these nor a write waits for the tables.
type Sole struct {
	*Store
	memory *memory
	fresh  *sqlite.Fresh

	turn chan struct{} // held by the transaction that runs

	// Of whoever has the turn: the last key that was given, where that is known.
	key     int64
	counted bool
	list    []sqlite.Stmt // memory for statements
}

// NewSole returns a store over db, which must have the migrations and a journal, and
// no other store.
func NewSole(db *sqlite.DB) *Sole {
	return &Sole{Store: New(db), memory: newMemory(), fresh: sqlite.NewFresh(db, "sessions", "ses"), turn: make(chan struct{}, 1)}
}

// Write implements store.Store.
func (s *Sole) Write(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	var found facts
	for {
		w, err := s.try(ctx, &found, fn)
		var lack *lacking
		switch {
		case errors.Is(err, errTables):
			return s.writeTables(ctx, fn)
		case errors.As(err, &lack):
			if err := s.fetch(ctx, lack, &found); err != nil {
				return known(err)
			}
		case err != nil || w == nil:
			return known(err)
		default:
			return known(w.join(ctx))
		}
	}
}

// take waits for the turn.
func (s *Sole) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.turn <- struct{}{}:
		return nil
	default: // what ends is waited for only where there is something to wait for
	}
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// try runs a transaction in memory and writes what it does; nil for nothing. An error
// may say what is lacking.
func (s *Sole) try(ctx context.Context, found *facts, fn func(ctx context.Context, tx store.Tx) error) (*write, error) {
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	defer func() { <-s.turn }()
	outbox.Restart(ctx)
	d := draft{s: s, found: found}
	if err := fn(ctx, &d); err != nil {
		return nil, err
	}
	return d.write(ctx)
}

// writeTables runs a transaction in the tables, for which all others wait.
func (s *Sole) writeTables(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer func() { <-s.turn }()
	outbox.Restart(ctx)
	var changed []*store.Session
	err := s.Store.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		return fn(ctx, &noting{Tx: tx, changed: &changed})
	})
	for _, session := range changed {
		s.fresh.Claim(session.ID) // no id is new that a session here has
	}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	for _, session := range changed {
		s.memory.written(session.ID)
		s.memory.drop(session.ID)
		s.key = max(s.key, session.Key)
	}
	return err
}

// noting notes which sessions a transaction in the tables changes.
type noting struct {
	store.Tx
	changed *[]*store.Session
}

func (n *noting) Insert(ctx context.Context, session *store.Session, write store.Addition) error {
	*n.changed = append(*n.changed, session)
	return n.Tx.Insert(ctx, session, write)
}

func (n *noting) Save(ctx context.Context, session *store.Session, write store.Addition) error {
	*n.changed = append(*n.changed, session)
	return n.Tx.Save(ctx, session, write)
}

func (n *noting) Delete(ctx context.Context, session *store.Session, tombstone store.Tombstone) error {
	*n.changed = append(*n.changed, session)
	return n.Tx.Delete(ctx, session, tombstone)
}

// Session implements store.Store.
func (s *Sole) Session(ctx context.Context, owner, id string) (*store.Session, error) {
	session, err := s.current(ctx, id)
	if err != nil {
		return nil, err
	}
	if session == nil || session.Owner != owner {
		return nil, store.ErrNotFound
	}
	return session.Clone(), nil
}

// SessionByKey implements store.Store.
func (s *Sole) SessionByKey(ctx context.Context, key int64) (*store.Session, error) {
	id, err := s.idOf(ctx, key)
	if err != nil {
		return nil, err
	}
	session, err := s.current(ctx, id)
	if err != nil {
		return nil, err
	}
	if session == nil || session.Key != key {
		return nil, store.ErrNotFound
	}
	return session.Clone(), nil
}

// current returns the session of an id as of its last durable write, nil for none.
func (s *Sole) current(ctx context.Context, id string) (*store.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for {
		s.memory.mu.Lock()
		e := s.memory.get(id)
		var session *store.Session
		var last *write
		if e != nil {
			session, last = e.session, e.last
		}
		s.memory.mu.Unlock()
		switch {
		case e == nil:
			if err := s.load(ctx, id); err != nil {
				return nil, err
			}
		case last == nil || last.settled():
			return session, nil
		default:
			if err := last.Wait(ctx); err == nil {
				return session, nil
			} else if ctx.Err() != nil {
				return nil, known(err)
			}
			// It failed and was forgotten: the tables know what is left.
		}
	}
}

// Messages implements store.Store.
func (s *Sole) Messages(ctx context.Context, q store.MessageQuery) ([]*store.Message, error) {
	s.memory.mu.Lock()
	e := s.memory.byKey[q.Key]
	if e == nil {
		s.memory.mu.Unlock()
		return s.Store.Messages(ctx, q)
	}
	tail, base, last := e.tail, e.base(), e.last
	s.memory.mu.Unlock()
	if last != nil {
		if err := last.Wait(ctx); err != nil && ctx.Err() != nil {
			return nil, known(err)
		} else if err != nil { // and was forgotten: the tables know what is left
			return s.Store.Messages(ctx, q)
		}
	}

	// Positions up to base are in the table, and do not change.
	stored := q
	if stored.Before == 0 || stored.Before > base+1 {
		stored.Before = base + 1
	}
	var list []*store.Message
	if q.NewestFirst {
		for _, m := range slices.Backward(tail) {
			if len(list) < q.Limit && q.Has(m) {
				list = append(list, m)
			}
		}
		stored.Limit -= len(list)
	}
	if stored.Limit > 0 && stored.Before > stored.After+1 {
		older, err := s.peek(ctx, stored)
		if err != nil {
			return nil, err
		}
		list = append(list, older...)
	}
	if !q.NewestFirst {
		for _, m := range tail {
			if len(list) < q.Limit && q.Has(m) {
				list = append(list, m)
			}
		}
	}
	return list, nil
}

// peek reads messages that are in the table for sure.
func (s *Sole) peek(ctx context.Context, q store.MessageQuery) ([]*store.Message, error) {
	query, args := listMessages(q)
	rows, err := s.db.Peek(ctx, query, args...)
	if err != nil {
		return nil, known(err)
	}
	defer rows.Close()
	return scanMessages(rows)
}

// Sessions implements store.Store.
func (s *Sole) Sessions(ctx context.Context, q store.SessionQuery) ([]*store.Session, error) {
	list, err := s.Store.Sessions(ctx, q)
	if err != nil {
		return nil, err
	}
	return list, s.reach(ctx)
}

// Changes implements store.Store.
func (s *Sole) Changes(ctx context.Context, key, after int64, limit int) ([]store.Change, error) {
	list, err := s.Store.Changes(ctx, key, after, limit)
	if err != nil {
		return nil, err
	}
	return list, s.reach(ctx)
}

// reach returns once memory has all that was read from the tables, so that nothing older
// is read next: a write is in the journal, and so it may be in the tables, a moment
// before it is in memory.
func (s *Sole) reach(ctx context.Context) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	<-s.turn
	return nil
}

// Touch implements store.Store. Uses are not waited for: the last of them may be lost
// with the process.
func (s *Sole) Touch(ctx context.Context, uses []store.Use) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer func() { <-s.turn }()
	list := make([]sqlite.Stmt, len(uses))
	for i, use := range uses {
		at := use.At.UnixMicro()
		list[i] = sqlite.Stmt{Query: touch, Args: []any{at, use.Key, at}}
	}
	later, err := s.db.Later(ctx, list...)
	if err != nil {
		return known(err)
	}
	if s.memory.touch(uses, later) {
		return nil
	}
	// Who reads one of the others meanwhile knows nothing of its use.
	if err := s.settle(ctx); err != nil {
		return known(err)
	}
	s.memory.allWritten()
	s.memory.touch(uses, later)
	return nil
}
