// Package sqlite keeps answers in the embedded database.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"sync"
	"sync/atomic"
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
type Store struct {
	db      *sqlite.DB
	running store.Unstored
	fresh   claims

	intents atomic.Int64 // counts rows with one, as they are in order, from 1
	settled atomic.Int64 // what it was when no row had one any more

	mu      sync.Mutex
	open    map[string]begun         // by id: rows that run, and that only this store ends
	waiting map[string]*sqlite.Later // by id: rows with an intent that may not be in its table yet
}

// claims knows of ids that no row can have.
type claims interface{ Claim(id string) bool }

// begun is a row as it was begun.
type begun struct {
	later    *sqlite.Later // nil where the row is in its table
	columns  store.Columns
	instance string
	ending   bool // somebody has its end
}

// New returns a store in db, whose tables must be there. running is asked for what
// Journal was given, where db is written later.
func New(db *sqlite.DB, running store.Unstored) *Store {
	s := &Store{db: db, running: running, fresh: sqlite.NewFresh(db, "responses", "resp"), open: map[string]begun{}, waiting: map[string]*sqlite.Later{}}
	s.intents.Store(1) // there may be some from before
	return s
}

// Ping implements store.Store. It waits for no rows that were written later.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.db.Read().QueryRowContext(ctx, "select 1").Scan(&one)
}

// Begin implements store.Store.
func (s *Store) Begin(ctx context.Context, response *responsev1.Response, instance string) error {
	c, err := store.ToColumns(response)
	if err != nil {
		return err
	}
	v := start(c, instance, len(c.Head))
	v.Blob(c.Head)
	c = c.Release()
	stmt := sqlite.Stmt{Query: beginSQL, Values: v, Row: true}
	defer stmt.Values.Release()
	if !s.fresh.Claim(c.ID) {
		_, err = s.db.Run(ctx, stmt)
		if sqlite.IsUniqueViolation(err) {
			return store.ErrExists
		}
		return err
	}
	later, err := s.db.Later(ctx, stmt)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.open[c.ID] = begun{later: later, columns: c, instance: instance}
	s.mu.Unlock()
	if err := later.Join(ctx); err != nil {
		s.drop(c.ID)
		return err
	}
	return nil
}

const beginSQL = `insert into responses (id, owner, request_id, session_id, state, instance, create_micros, head)
	values (?, ?, ?, ?, ?, ?, ?, ?)`

// start are the columns that a row begins with, and room for more bytes.
func start(c store.Columns, instance string, more int) sqlite.Values {
	v := sqlite.NewValues(24 + len(c.ID) + len(c.Owner) + len(c.RequestID) + len(c.SessionID) + len(instance) + more)
	v.Text(c.ID)
	v.Text(c.Owner)
	v.Text(c.RequestID)
	v.Text(c.SessionID)
	v.Int(int64(c.State))
	v.Text(instance)
	v.Int(c.Create)
	return v
}

// take hands the end of a row to one caller, who puts it back where it failed and drops
// it otherwise: mine says that there is one, taken that another caller has it, or that the
// row is another answer's than c.
func (s *Store) take(c store.Columns, begunBy string) (b begun, mine, taken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, mine = s.open[c.ID]
	if b.ending || mine && begunBy != "" && !b.is(c, begunBy) {
		return begun{}, false, true
	}
	if mine {
		ended := b
		ended.ending = true
		s.open[c.ID] = ended
	}
	return b, mine, false
}

// is says that the row is c, as an instance has begun it.
func (b begun) is(c store.Columns, instance string) bool {
	return b.instance == instance && b.columns.Create == c.Create && b.columns.Owner == c.Owner && b.columns.RequestID == c.RequestID
}

func (s *Store) drop(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, id)
}

// forget leaves the end of rows to the table: somebody else may have ended them.
func (s *Store) forget(which func(begun) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, b := range s.open {
		if which(b) {
			delete(s.open, id)
		}
	}
}

// Finish implements store.Store.
func (s *Store) Finish(ctx context.Context, final store.Final) error {
	defer s.intended(final)
	c, log, err := final.ToQuoted()
	if err != nil {
		return err
	}
	defer c.Release()
	b, mine, taken := s.take(c, final.BegunBy)
	if taken {
		return store.ErrNotRunning
	}
	if mine {
		if err := s.end(ctx, b, c, log, final); err != nil {
			s.mu.Lock()
			b.later, s.open[c.ID] = nil, b // so that it can be tried again
			s.mu.Unlock()
			return err
		}
		s.drop(c.ID)
		return nil
	}
	if final.Journaled || final.Intent != nil {
		return s.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
			return finish(ctx, tx, c, log, final)
		})
	}
	stmt := finished(c, log, final)
	defer stmt.Values.Release()
	changed, err := s.db.Run(ctx, stmt)
	if err == nil && changed == 0 {
		return store.ErrNotRunning
	}
	return err
}

// end makes a row final that only this store ends: where it was not inserted yet,
// it is inserted as it is in the end.
func (s *Store) end(ctx context.Context, b begun, c store.Columns, log []byte, final store.Final) error {
	var later *sqlite.Later
	var ok bool
	var err error
	list := make([]sqlite.Stmt, 1, 3)
	defer func() { list[0].Values.Release() }()
	if final.Journaled {
		list = append(list, sqlite.Stmt{Query: dropJournalSQL, Args: []any{c.ID}})
	}
	if final.Intent != nil {
		list = append(list, intent(c, final))
	}
	if b.later != nil {
		from := c
		from.Owner, from.RequestID, from.SessionID, from.Create = b.columns.Owner, b.columns.RequestID, b.columns.SessionID, b.columns.Create
		list[0] = whole(from, b.instance, log, final)
		if later, ok, err = s.db.Instead(ctx, b.later, list...); err != nil {
			return err
		}
	}
	if !ok {
		list[0].Values.Release()
		list[0] = finished(c, log, final)
		if later, err = s.db.Later(ctx, list...); err != nil {
			return err
		}
	}
	if final.Intent != nil {
		s.intend(c.ID, later)
	}
	return later.Join(ctx)
}

const dropJournalSQL = "delete from response_journal where response_id = ?"

// finish makes a row final whose log may have been journaled.
func finish(ctx context.Context, tx *sqlite.Tx, c store.Columns, log []byte, final store.Final) error {
	changed, err := tx.Run(ctx, finished(c, log, final))
	if err != nil {
		return err
	}
	if changed == 0 {
		return store.ErrNotRunning
	}
	if final.Intent != nil {
		if _, err := tx.Run(ctx, intent(c, final)); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, dropJournalSQL, c.ID)
	return err
}

const finishSQL = `update responses set state = ?, finish_micros = ?, last_sequence = ?, head = ?, messages = ?, log = ?
	where id = ? and state = 1`

// finished makes an answer final.
func finished(c store.Columns, log []byte, final store.Final) sqlite.Stmt {
	v := sqlite.NewValues(endRoom(c) + 4 + len(c.ID))
	v.Int(int64(c.State))
	end(&v, c, log, final)
	v.Text(c.ID)
	if final.BegunBy == "" {
		return sqlite.Stmt{Query: finishSQL, Values: v}
	}
	v.Text(final.BegunBy)
	v.Int(c.Create)
	v.Text(c.Owner)
	v.Text(c.RequestID)
	return sqlite.Stmt{Query: finishSQL + " and instance = ? and create_micros = ? and owner = ? and request_id = ?", Values: v}
}

// end adds the columns of an answer's end.
func end(v *sqlite.Values, c store.Columns, log []byte, final store.Final) {
	v.Int(c.Finish)
	v.Int(c.LastSequence)
	v.Blob(c.Head)
	v.Blob(nullable(c.Messages))
	if final.Borrowed {
		v.Borrow(log)
	} else {
		v.Lend(nullable(log))
	}
}

func endRoom(c store.Columns) int { return 32 + len(c.Head) + len(c.Messages) }

// Add implements store.Store.
func (s *Store) Add(ctx context.Context, final store.Final, instance string) error {
	defer s.intended(final)
	c, log, err := final.ToQuoted()
	if err != nil {
		return err
	}
	defer c.Release()
	stmt := whole(c, instance, log, final)
	defer stmt.Values.Release()
	fresh := s.fresh.Claim(c.ID)
	switch {
	case final.Intent != nil:
		err = s.addIntended(ctx, fresh, c, stmt, intent(c, final))
	case fresh:
		var later *sqlite.Later
		if later, err = s.db.Later(ctx, stmt); err == nil {
			err = later.Join(ctx)
		}
	default:
		_, err = s.db.Run(ctx, stmt)
	}
	if sqlite.IsUniqueViolation(err) {
		return store.ErrExists
	}
	return err
}

// addIntended adds a row and its intent, all or nothing.
func (s *Store) addIntended(ctx context.Context, fresh bool, c store.Columns, row, intent sqlite.Stmt) error {
	if !fresh {
		return s.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
			if _, err := tx.Run(ctx, row); err != nil {
				return err
			}
			_, err := tx.Run(ctx, intent)
			return err
		})
	}
	later, err := s.db.Later(ctx, row, intent)
	if err != nil {
		return err
	}
	s.intend(c.ID, later)
	return later.Join(ctx)
}

const addSQL = `insert into responses (id, owner, request_id, session_id, state, instance, create_micros,
	finish_micros, last_sequence, head, messages, log) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// whole inserts an answer as it is in the end.
func whole(c store.Columns, instance string, log []byte, final store.Final) sqlite.Stmt {
	v := start(c, instance, endRoom(c))
	end(&v, c, log, final)
	return sqlite.Stmt{Query: addSQL, Values: v, Row: true}
}

// nullable is nil for a column without bytes.
func nullable(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
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
		for _, query := range []string{dropJournalSQL, dropIntentSQL} {
			if _, err := tx.Exec(ctx, query, id); err != nil {
				return err
			}
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

// Now implements store.Store.
func (s *Store) Now(context.Context) (time.Time, error) { return time.Now(), nil }
