// Package sqlite keeps answers in the embedded database.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
)

// Migrations make the tables.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Store implements store.Store.
type Store struct{ db *sqlite.DB }

// New returns a store in db, whose tables must be there.
func New(db *sqlite.DB) *Store { return &Store{db: db} }

// Ping implements store.Store.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.db.QueryRow(ctx, "select 1").Scan(&one)
}

// Begin implements store.Store.
func (s *Store) Begin(ctx context.Context, response *responsev1.Response, instance string) error {
	c, err := store.ToColumns(response)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `insert into responses (id, owner, request_id, session_id, state, instance, create_micros, head)
		values (?, ?, ?, ?, ?, ?, ?, ?)`, c.ID, c.Owner, c.RequestID, c.SessionID, c.State, instance, c.Create, c.Head)
	if sqlite.IsUniqueViolation(err) {
		return store.ErrExists
	}
	return err
}

// Finish implements store.Store.
func (s *Store) Finish(ctx context.Context, final store.Final) error {
	c, err := store.ToColumns(final.Response)
	if err != nil {
		return err
	}
	log, err := store.PackLog(final.Log)
	if err != nil {
		return err
	}
	if final.Journaled {
		return s.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
			return finish(ctx, tx, c, log, final.Intent)
		})
	}
	changed, err := s.db.Exec(ctx, finishSQL, finishValues(c, log, final.Intent)...)
	if err == nil && changed == 0 {
		return store.ErrNotRunning
	}
	return err
}

// finish makes a row final whose log may have been journaled.
func finish(ctx context.Context, tx *sqlite.Tx, c store.Columns, log, intent []byte) error {
	result, err := tx.Exec(ctx, finishSQL, finishValues(c, log, intent)...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, store.ErrNotRunning)
	}
	_, err = tx.Exec(ctx, "delete from response_journal where response_id = ?", c.ID)
	return err
}

const finishSQL = `update responses set state = ?, finish_micros = ?, last_sequence = ?, head = ?, messages = ?, session_intent = ?, log = ?
	where id = ? and state = 1`

func finishValues(c store.Columns, log, intent []byte) []any {
	return []any{c.State, c.Finish, c.LastSequence, c.Head, nullable(c.Messages), nullable(intent), nullable(log), c.ID}
}

// Add implements store.Store.
func (s *Store) Add(ctx context.Context, final store.Final, instance string) error {
	c, err := store.ToColumns(final.Response)
	if err != nil {
		return err
	}
	log, err := store.PackLog(final.Log)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `insert into responses (id, owner, request_id, session_id, state, instance, create_micros,
		finish_micros, last_sequence, head, messages, session_intent, log) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.ID, c.Owner, c.RequestID, c.SessionID, c.State, instance, c.Create,
		c.Finish, c.LastSequence, c.Head, nullable(c.Messages), nullable(final.Intent), nullable(log))
	if sqlite.IsUniqueViolation(err) {
		return store.ErrExists
	}
	return err
}

func nullable(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, owner, id string) (store.Record, error) {
	var head, messages []byte
	var record store.Record
	err := s.db.QueryRow(ctx, "select head, messages, instance, session_note from responses where id = ? and owner = ?", id, owner).
		Scan(&head, &messages, &record.Instance, &record.SessionNote)
	if errors.Is(err, sql.ErrNoRows) {
		return record, store.ErrNotFound
	}
	if err != nil {
		return record, err
	}
	record.Response, err = store.FromColumns(head, messages)
	return record, err
}

// Log implements store.Store.
func (s *Store) Log(ctx context.Context, id string) ([]byte, error) {
	var packed []byte
	err := s.db.QueryRow(ctx, "select log from responses where id = ?", id).Scan(&packed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return store.UnpackLog(packed)
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, filter store.Filter, limit int) ([]*responsev1.Response, error) {
	where, args := filter.Where(func(int) string { return "?" })
	rows, err := s.db.Read().QueryContext(ctx,
		"select head from responses where "+where+fmt.Sprintf(" order by create_micros desc, id desc limit %d", limit), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*responsev1.Response
	for rows.Next() {
		var head []byte
		if err := rows.Scan(&head); err != nil {
			return nil, err
		}
		r, err := store.FromColumns(head, nil)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, owner, id string) error {
	return s.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		var state int32
		err := tx.QueryRow(ctx, "select state from responses where id = ? and owner = ?", id, owner).Scan(&state)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return store.ErrNotFound
		case err != nil:
			return err
		case state == int32(responsev1.Response_STATE_RUNNING):
			return store.ErrRunning
		}
		if _, err := tx.Exec(ctx, "delete from response_journal where response_id = ?", id); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "delete from responses where id = ?", id)
		return err
	})
}

// RequestCancel implements store.Store.
func (s *Store) RequestCancel(ctx context.Context, owner, id string) error {
	return s.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		result, err := tx.Exec(ctx, "update responses set cancel_asked = 1 where id = ? and owner = ?", id, owner)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, store.ErrNotFound)
		}
		return nil
	})
}

// CancelRequested implements store.Store.
func (s *Store) CancelRequested(ctx context.Context, instance string) ([]string, error) {
	rows, err := s.db.Query(ctx, "select id from responses where instance = ? and state = 1 and cancel_asked = 1", instance)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		list = append(list, id)
	}
	return list, rows.Err()
}

// Pending implements store.Store.
func (s *Store) Pending(ctx context.Context, before time.Time, limit int) ([]store.Intent, error) {
	rows, err := s.db.Query(ctx, `select id, owner, session_intent from responses
		where session_intent is not null and finish_micros < ? order by finish_micros limit ?`, store.Micros(before), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []store.Intent
	for rows.Next() {
		var intent store.Intent
		if err := rows.Scan(&intent.ResponseID, &intent.Owner, &intent.Request); err != nil {
			return nil, err
		}
		list = append(list, intent)
	}
	return list, rows.Err()
}

// Settle implements store.Store.
func (s *Store) Settle(ctx context.Context, ids []string, note string) error {
	return s.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		for _, id := range ids {
			if _, err := tx.Exec(ctx, "update responses set session_intent = null, session_note = ? where id = ?", note, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Heartbeat implements store.Store.
func (s *Store) Heartbeat(ctx context.Context, instance string, now, deadBefore time.Time) error {
	return s.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		if _, err := tx.Exec(ctx, `insert into response_instances (id, seen_micros) values (?, ?)
			on conflict (id) do update set seen_micros = excluded.seen_micros`, instance, store.Micros(now)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "delete from response_instances where seen_micros < ?", store.Micros(deadBefore))
		return err
	})
}

// Interrupt implements store.Store.
func (s *Store) Interrupt(ctx context.Context, sweep store.Sweep) (int, error) {
	done := 0
	err := s.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		rows, err := tx.Query(ctx, `select id, head from responses where state = 1 and instance <> ? and (? or not exists
			(select 1 from response_instances i where i.id = responses.instance and i.seen_micros >= ?)) limit ?`,
			sweep.Except, sweep.All, store.Micros(sweep.DeadBefore), sweep.Limit)
		if err != nil {
			return err
		}
		var found []orphan
		for rows.Next() {
			var o orphan
			if err := rows.Scan(&o.id, &o.head); err != nil {
				return err
			}
			found = append(found, o)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		for _, o := range found {
			pieces, err := tx.Query(ctx, "select frames from response_journal where response_id = ? order by first_sequence", o.id)
			if err != nil {
				return err
			}
			frames, err := join(pieces)
			if err != nil {
				return err
			}
			c, log, err := sweep.Interrupted(o.head, frames)
			if err != nil {
				return err
			}
			if err := finish(ctx, tx, c, log, nil); err != nil {
				return err
			}
			done++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return done, nil
}

// orphan is an answer that a dead instance left.
type orphan struct {
	id   string
	head []byte
}
