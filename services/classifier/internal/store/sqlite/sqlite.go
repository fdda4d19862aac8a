// Package sqlite keeps what the classifier learns in the embedded SQLite
// database.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gptmesh/gptmesh/pkg/groupcommit"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store"
)

//go:embed migrations
var migrations embed.FS

// Migrations returns the migrations that a store needs.
func Migrations() fs.FS { return migrations }

// New returns a store over db, which must have the migrations and is not
// closed by it.
func New(db *sqlite.DB) *store.Store { return store.New(engine{db}) }

type engine struct{ db *sqlite.DB }

func (e engine) Query(ctx context.Context, query string, args ...any) (store.Rows, error) {
	rows, err := e.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return closing{rows}, nil
}

func (e engine) Write(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	return e.db.Write(ctx, func(ctx context.Context, t *sqlite.Tx) error { return fn(ctx, tx{t}) })
}

func (e engine) Ping(ctx context.Context) error {
	var one int
	return e.db.Read().QueryRowContext(ctx, `select 1`).Scan(&one)
}

func (engine) Known(err error) error {
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

type tx struct{ t *sqlite.Tx }

func (x tx) Query(ctx context.Context, query string, args ...any) (store.Rows, error) {
	rows, err := x.t.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return closing{rows}, nil
}

func (x tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := x.t.Exec(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// closing makes Close say nothing: what ended a reading is in Err.
type closing struct {
	rows interface {
		Next() bool
		Scan(dest ...any) error
		Err() error
		Close() error
	}
}

func (c closing) Next() bool             { return c.rows.Next() }
func (c closing) Scan(dest ...any) error { return c.rows.Scan(dest...) }
func (c closing) Err() error             { return c.rows.Err() }
func (c closing) Close()                 { _ = c.rows.Close() }
