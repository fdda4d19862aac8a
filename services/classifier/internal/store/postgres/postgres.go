// Package postgres keeps what the classifier learns in PostgreSQL.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store"
	"github.com/jackc/pgx/v5"
)

//go:embed migrations
var migrations embed.FS

// Migrations returns the migrations that a store needs.
func Migrations() fs.FS { return migrations }

// New returns a store over db, which must have the migrations and is not
// closed by it.
func New(db *postgres.DB) *store.Store { return store.New(engine{db}) }

type engine struct{ db *postgres.DB }

func (e engine) Query(ctx context.Context, query string, args ...any) (store.Rows, error) {
	return e.db.Pool().Query(ctx, numbered(query), args...)
}

func (e engine) Write(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	return e.db.Write(ctx, func(ctx context.Context, t pgx.Tx) error { return fn(ctx, tx{t}) })
}

func (e engine) Ping(ctx context.Context) error { return e.db.Pool().Ping(ctx) }

func (engine) Known(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return store.ErrNotFound
	case postgres.IsUnavailable(err), postgres.IsFull(err), postgres.IsConflict(err):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}

type tx struct{ t pgx.Tx }

func (x tx) Query(ctx context.Context, query string, args ...any) (store.Rows, error) {
	return x.t.Query(ctx, numbered(query), args...)
}

func (x tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := x.t.Exec(ctx, numbered(query), args...)
	return tag.RowsAffected(), err
}

// numbered writes the placeholders as PostgreSQL wants them.
func numbered(query string) string {
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		query = after
	}
}
