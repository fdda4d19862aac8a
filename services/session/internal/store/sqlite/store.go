// Package sqlite keeps sessions in the embedded SQLite database.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/gptmesh/gptmesh/pkg/groupcommit"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

//go:embed migrations
var migrations embed.FS

// Migrations returns the migrations that a Store needs.
func Migrations() fs.FS { return migrations }

// Store implements store.Store over a database that it does not own.
type Store struct{ db *sqlite.DB }

// New returns a store over db, which must have the migrations.
func New(db *sqlite.DB) *Store { return &Store{db: db} }

// Write implements store.Store.
func (s *Store) Write(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	return known(s.db.Write(ctx, func(ctx context.Context, t *sqlite.Tx) error {
		return fn(ctx, &tx{t: t})
	}))
}

// Session implements store.Store.
func (s *Store) Session(ctx context.Context, owner, id string) (*store.Session, error) {
	return scanSession(s.db.QueryRow(ctx, sessionByID, id, owner))
}

// SessionByKey implements store.Store.
func (s *Store) SessionByKey(ctx context.Context, key int64) (*store.Session, error) {
	return scanSession(s.db.QueryRow(ctx, sessionByKey, key))
}

// Sessions implements store.Store.
func (s *Store) Sessions(ctx context.Context, q store.SessionQuery) ([]*store.Session, error) {
	query, args := listSessions(q)
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, known(err)
	}
	defer rows.Close()
	var list []*store.Session
	for rows.Next() {
		session, err := scanSession(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, session)
	}
	return list, known(rows.Err())
}

// Messages implements store.Store.
func (s *Store) Messages(ctx context.Context, q store.MessageQuery) ([]*store.Message, error) {
	query, args := listMessages(q)
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, known(err)
	}
	defer rows.Close()
	return scanMessages(rows)
}

// Changes implements store.Store.
func (s *Store) Changes(ctx context.Context, key, after int64, limit int) ([]store.Change, error) {
	rows, err := s.db.Query(ctx, changesAfter, key, after, limit)
	if err != nil {
		return nil, known(err)
	}
	defer rows.Close()
	var list []store.Change
	for rows.Next() {
		var c store.Change
		if err := rows.Scan(&c.Version, &c.Kind, &c.First, &c.Last); err != nil {
			return nil, known(err)
		}
		list = append(list, c)
	}
	return list, known(rows.Err())
}

// Versions implements store.Store.
func (s *Store) Versions(ctx context.Context, keys []int64) (map[int64]int64, error) {
	list, err := json.Marshal(keys)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Query(ctx, versionsOf, string(list))
	if err != nil {
		return nil, known(err)
	}
	defer rows.Close()
	versions := make(map[int64]int64, len(keys))
	for rows.Next() {
		var key, version int64
		if err := rows.Scan(&key, &version); err != nil {
			return nil, known(err)
		}
		versions[key] = version
	}
	return versions, known(rows.Err())
}

// Tombstone implements store.Store.
func (s *Store) Tombstone(ctx context.Context, owner, id string) (store.Tombstone, error) {
	return scanTombstone(s.db.QueryRow(ctx, tombstoneByID, id, owner))
}

// TombstoneByKey implements store.Store.
func (s *Store) TombstoneByKey(ctx context.Context, key int64) (store.Tombstone, error) {
	return scanTombstone(s.db.QueryRow(ctx, tombstoneByKey, key))
}

// DropTombstones implements store.Store.
func (s *Store) DropTombstones(ctx context.Context, before time.Time) (dropped int64, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, t *sqlite.Tx) error {
		result, err := t.Exec(ctx, `delete from tombstones where delete_time < ?`, before.UnixMicro())
		if err != nil {
			return err
		}
		dropped, err = result.RowsAffected()
		return err
	})
	return dropped, known(err)
}

// Touch implements store.Store.
func (s *Store) Touch(ctx context.Context, uses []store.Use) error {
	return known(s.db.Write(ctx, func(ctx context.Context, t *sqlite.Tx) error {
		for _, use := range uses {
			at := use.At.UnixMicro()
			if _, err := t.Exec(ctx, touch, at, use.Key, at); err != nil {
				return err
			}
		}
		return nil
	}))
}

// Due implements store.Store.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]int64, error) {
	return s.keys(ctx, due, now, limit)
}

// Ended implements store.Store.
func (s *Store) Ended(ctx context.Context, before time.Time, limit int) ([]int64, error) {
	return s.keys(ctx, ended, before, limit)
}

// keys runs a query for keys by a time.
func (s *Store) keys(ctx context.Context, query string, at time.Time, limit int) ([]int64, error) {
	rows, err := s.db.Query(ctx, query, at.UnixMicro(), limit)
	if err != nil {
		return nil, known(err)
	}
	defer rows.Close()
	var keys []int64
	for rows.Next() {
		var key int64
		if err := rows.Scan(&key); err != nil {
			return nil, known(err)
		}
		keys = append(keys, key)
	}
	return keys, known(rows.Err())
}

// Ping implements store.Store. It waits for no rows that were written later.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return known(s.db.Read().QueryRowContext(ctx, `select 1`).Scan(&one))
}

// known gives the driver's errors the names of package store.
func known(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return store.ErrNotFound
	case sqlite.IsBusy(err), sqlite.IsUnavailable(err), errors.Is(err, sqlite.ErrClosed), errors.Is(err, groupcommit.ErrAborted):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}
