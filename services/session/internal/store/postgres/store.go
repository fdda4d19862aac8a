// Package postgres keeps sessions in PostgreSQL.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"github.com/jackc/pgx/v5"
)

//go:embed migrations
var migrations embed.FS

// Migrations returns the migrations that a Store needs.
func Migrations() fs.FS { return migrations }

// Store implements store.Store over a database that it does not own.
type Store struct {
	db      *postgres.DB
	memory  *memory
	keys    keys
	queries queries
	fresh   func(id string) bool
}

// New returns a store over db, which must have the migrations.
func New(db *postgres.DB) *Store {
	return &Store{db: db, memory: newMemory(), keys: keys{db: db}, queries: queriesFor(db), fresh: fresh}
}

// Session implements store.Store.
func (s *Store) Session(ctx context.Context, owner, id string) (*store.Session, error) {
	session, err := scanSession(s.db.Pool().QueryRow(ctx, sessionByID, id, owner))
	if err == nil {
		s.memory.saw(session.Clone())
	}
	return session, err
}

// SessionByKey implements store.Store.
func (s *Store) SessionByKey(ctx context.Context, key int64) (*store.Session, error) {
	return scanSession(s.db.Pool().QueryRow(ctx, sessionByKey, key))
}

// Sessions implements store.Store.
func (s *Store) Sessions(ctx context.Context, q store.SessionQuery) ([]*store.Session, error) {
	query, args := listSessions(q)
	return collect(ctx, s, query, args, func(row pgx.CollectableRow) (*store.Session, error) { return scanSession(row) })
}

// Messages implements store.Store.
func (s *Store) Messages(ctx context.Context, q store.MessageQuery) ([]*store.Message, error) {
	query, args := listMessages(q)
	return collect(ctx, s, query, args, collectMessage)
}

// Changes implements store.Store.
func (s *Store) Changes(ctx context.Context, key, after int64, limit int) ([]store.Change, error) {
	return collect(ctx, s, changesAfter, []any{key, after, limit}, func(row pgx.CollectableRow) (c store.Change, err error) {
		err = row.Scan(&c.Version, &c.Kind, &c.First, &c.Last)
		return c, err
	})
}

// Versions implements store.Store.
func (s *Store) Versions(ctx context.Context, keys []int64) (map[int64]int64, error) {
	list, err := collect(ctx, s, versionsOf, []any{keys}, func(row pgx.CollectableRow) (pair [2]int64, err error) {
		err = row.Scan(&pair[0], &pair[1])
		return pair, err
	})
	if err != nil {
		return nil, err
	}
	versions := make(map[int64]int64, len(list))
	for _, pair := range list {
		versions[pair[0]] = pair[1]
	}
	return versions, nil
}

// Tombstone implements store.Store.
func (s *Store) Tombstone(ctx context.Context, owner, id string) (store.Tombstone, error) {
	return scanTombstone(s.db.Pool().QueryRow(ctx, tombstoneByID, id, owner))
}

// TombstoneByKey implements store.Store.
func (s *Store) TombstoneByKey(ctx context.Context, key int64) (store.Tombstone, error) {
	return scanTombstone(s.db.Pool().QueryRow(ctx, tombstoneByKey, key))
}

// DropTombstones implements store.Store.
func (s *Store) DropTombstones(ctx context.Context, before time.Time) (int64, error) {
	tag, err := s.db.Pool().Exec(ctx, `delete from tombstones where delete_time < $1`, before)
	return tag.RowsAffected(), known(err)
}

// Touch implements store.Store.
func (s *Store) Touch(ctx context.Context, uses []store.Use) error {
	keys, times := make([]int64, len(uses)), make([]time.Time, len(uses))
	for i, use := range uses {
		keys[i], times[i] = use.Key, use.At
	}
	return known(s.db.Commit(ctx, postgres.Stmt{Query: s.queries.touch, Args: []any{keys, times}}))
}

// Due implements store.Store.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]int64, error) {
	return collect(ctx, s, due, []any{now, limit}, pgx.RowTo[int64])
}

// Ended implements store.Store.
func (s *Store) Ended(ctx context.Context, before time.Time, limit int) ([]int64, error) {
	return collect(ctx, s, ended, []any{before, limit}, pgx.RowTo[int64])
}

// Ping implements store.Store.
func (s *Store) Ping(ctx context.Context) error { return known(s.db.Pool().Ping(ctx)) }

// collect runs a query and reads all of its rows.
func collect[T any](ctx context.Context, s *Store, query string, args []any, scan pgx.RowToFunc[T]) ([]T, error) {
	rows, err := s.db.Pool().Query(ctx, query, args...)
	if err != nil {
		return nil, known(err)
	}
	list, err := pgx.CollectRows(rows, scan)
	return list, known(err)
}

// known gives the driver's errors the names of package store.
func known(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return store.ErrNotFound
	case postgres.IsUnavailable(err), postgres.IsFull(err), postgres.IsConflict(err), errors.Is(err, postgres.ErrClosed):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}
