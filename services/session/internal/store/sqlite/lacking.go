package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"

	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

// errTables ends a transaction in memory that needs the tables.
var errTables = errors.New("session store: needs the tables")

// lacking ends a transaction in memory that needs what is not known, one of these.
// It is run again when that is.
type lacking struct {
	last     *write // durable
	id       string // of a session
	key      int64  // its key
	counter  bool   // the last key
	messages *entry // whether it has messages of these ids
	ids      []string
}

// Error implements error.
func (*lacking) Error() string { return "session store: not in memory" }

// facts are what was read for a transaction that lacked it.
type facts struct {
	ids      map[int64]string // of sessions by their keys; empty for none
	messages *entry           // of which the rest is, as it was
	trims    int
	found    map[string]*store.Message // nil for what is not there
}

// fetch gets what is lacking.
func (s *Sole) fetch(ctx context.Context, lack *lacking, found *facts) error {
	switch {
	case lack.last != nil:
		return lack.last.Wait(ctx)
	case lack.id != "":
		return s.load(ctx, lack.id)
	case lack.key != 0:
		id, err := s.idOf(ctx, lack.key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if found.ids == nil {
			found.ids = map[int64]string{}
		}
		found.ids[lack.key] = id
		return nil
	case lack.counter:
		return s.count(ctx)
	}
	return s.find(ctx, lack, found)
}

// load reads a session into memory.
func (s *Sole) load(ctx context.Context, id string) error {
	m := s.memory
	m.mu.Lock()
	l := m.loading[id]
	if l == nil || l.stale { // who comes now reads anew
		l = &loading{}
		m.loading[id] = l
	}
	l.readers++
	failures := m.failures
	m.mu.Unlock()

	session, err := s.stored(ctx, id, failures > 0)

	m.mu.Lock()
	defer m.mu.Unlock()
	if l.readers--; l.readers == 0 && m.loading[id] == l {
		delete(m.loading, id)
	}
	if err != nil {
		return err
	}
	if failures > 0 && m.failures == failures {
		m.failures = 0 // the tables have all that is not in memory
	}
	if m.byID[id] == nil && !l.stale {
		m.put(&entry{id: id, session: session})
	}
	return nil
}

// stored reads a session from its table, nil where there is none. After writes that
// have failed it waits for those that have not.
func (s *Sole) stored(ctx context.Context, id string, suspect bool) (*store.Session, error) {
	if suspect {
		if err := s.settle(ctx); err != nil {
			return nil, err
		}
	}
	rows, err := s.db.Peek(ctx, `select `+sessionColumns+` from sessions where id = ?`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, rows.Err()
	}
	return scanSession(rows)
}

// settle returns when the tables have all that was written until now.
func (s *Sole) settle(ctx context.Context) error {
	rows, err := s.db.Query(ctx, `select 1`)
	if err != nil {
		return err
	}
	return rows.Close()
}

// idOf returns the id of the session of a key.
func (s *Sole) idOf(ctx context.Context, key int64) (string, error) {
	s.memory.mu.Lock()
	e, failures := s.memory.byKey[key], s.memory.failures
	s.memory.mu.Unlock()
	if e != nil {
		return e.id, ctx.Err()
	}
	if failures > 0 {
		if err := s.settle(ctx); err != nil {
			return "", err
		}
	}
	rows, err := s.db.Peek(ctx, `select id from sessions where session_key = ?`, key)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var id string
	if rows.Next() {
		err = rows.Scan(&id)
	} else if err = rows.Err(); err == nil {
		err = store.ErrNotFound
	}
	return id, err
}

// count finds out which key was given last.
func (s *Sole) count(ctx context.Context) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer func() { <-s.turn }()
	var last sql.NullInt64
	if err := s.db.QueryRow(ctx, `select max(seq) from sqlite_sequence where name = 'sessions'`).Scan(&last); err != nil {
		return err
	}
	s.key = max(s.key, last.Int64, 0)
	s.counted = true
	return nil
}

// find reads which messages are in the tables; those that are not there are in memory
// or nowhere. Of a session that has few it reads all ids, for the next time.
func (s *Sole) find(ctx context.Context, lack *lacking, found *facts) error {
	m, e := s.memory, lack.messages
	m.mu.Lock()
	if e.session == nil {
		m.mu.Unlock()
		return nil
	}
	key, trims, few := e.session.Key, e.trims, e.ids == nil && e.session.MessageCount < int64(m.bounds.ids/2)
	m.mu.Unlock()
	if few {
		ids, err := s.messageIDs(ctx, key)
		if err != nil {
			return err
		}
		m.mu.Lock()
		if e.trims == trims && e.ids == nil {
			for _, message := range e.tail {
				ids[message.ID] = struct{}{}
			}
			e.ids = ids
		}
		m.mu.Unlock()
	}
	list, err := json.Marshal(lack.ids)
	if err != nil {
		return err
	}
	rows, err := s.db.Peek(ctx, messagesByID, key, string(list))
	if err != nil {
		return err
	}
	defer rows.Close()
	messages, err := scanMessages(rows)
	if err != nil {
		return err
	}
	found.messages, found.trims, found.found = e, trims, map[string]*store.Message{}
	for _, id := range lack.ids {
		found.found[id] = nil
	}
	for _, message := range messages {
		found.found[message.ID] = message
	}
	return nil
}

func (s *Sole) messageIDs(ctx context.Context, key int64) (map[string]struct{}, error) {
	rows, err := s.db.Peek(ctx, `select message_id from messages where session_key = ?`, key)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	ids := map[string]struct{}{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids[id] = struct{}{}
	}
	return ids, rows.Err()
}

// tells returns what is known of a message, and whether it is.
func (f *facts) tells(e *entry, id string) (*store.Message, bool) {
	if f.messages != e || f.trims != e.trims {
		return nil, false
	}
	m, ok := f.found[id]
	return m, ok
}

// inTail adds the messages of the tail that have one of some ids to found.
func (e *entry) inTail(ids []string, found map[string]*store.Message) {
	for _, m := range e.tail {
		if slices.Contains(ids, m.ID) {
			found[m.ID] = m
		}
	}
}
