// Package tables implements package store in SQL that both engines read alike:
// numbers, texts and bytes alone, placeholders written "?". What differs is
// behind Engine.
package tables

import (
	"context"
	"errors"
	"time"

	"github.com/gptmesh/gptmesh/services/classifier/internal/store"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Rows are the rows of a query.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// Reader reads.
type Reader interface {
	Query(ctx context.Context, query string, args ...any) (Rows, error)
}

// Tx reads and writes in a transaction.
type Tx interface {
	Reader
	// Exec returns how many rows it changed.
	Exec(ctx context.Context, query string, args ...any) (int64, error)
}

// Engine is a database.
type Engine interface {
	Reader
	// Write runs fn in a transaction; fn may run again.
	Write(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error
	// Known gives the driver's errors the names of package store.
	Known(err error) error
	// Ping says whether the database can serve.
	Ping(ctx context.Context) error
}

// Store implements store.Store over an engine.
type Store struct{ db Engine }

var _ store.Store = (*Store)(nil)

// New returns a store over db, which must have the migrations.
func New(db Engine) *Store { return &Store{db: db} }

// Ping implements store.Store.
func (s *Store) Ping(ctx context.Context) error { return s.db.Known(s.db.Ping(ctx)) }

// write runs fn in a transaction.
func (s *Store) write(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error {
	return s.db.Known(s.db.Write(ctx, fn))
}

// one scans the only row of a query; ErrNotFound where there is none.
func one(ctx context.Context, r Reader, query string, args []any, dest ...any) error {
	rows, err := r.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return store.ErrNotFound
	}
	return rows.Scan(dest...)
}

// all scans every row of a query.
func all[T any](ctx context.Context, r Reader, query string, args []any, scan func(Rows) (T, error)) ([]T, error) {
	rows, err := r.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

func micros(t *timestamppb.Timestamp) int64 {
	if t == nil {
		return 0
	}
	return t.AsTime().UnixMicro()
}

func stamp(micros int64) *timestamppb.Timestamp {
	if micros == 0 {
		return nil
	}
	return timestamppb.New(time.UnixMicro(micros).UTC())
}

func encode(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

func missing(err error) bool { return errors.Is(err, store.ErrNotFound) }
