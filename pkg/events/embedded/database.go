package embedded

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"sync"

	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/jackc/pgx/v5"
)

//go:embed migrations
var migrations embed.FS

// Migrations make the tables of the broker's own store.
func Migrations() (forSQLite, forPostgres fs.FS) {
	lite, err1 := fs.Sub(migrations, "migrations/sqlite")
	pg, err2 := fs.Sub(migrations, "migrations/postgres")
	if err := errors.Join(err1, err2); err != nil {
		panic(err) // folders that are embedded
	}
	return lite, pg
}

// database runs statements that both kinds of database understand, with "?" for
// what is put in.
type database interface {
	exec(ctx context.Context, query string, args ...any) (changed int64, err error)
	query(ctx context.Context, row func(scan func(...any) error) error, query string, args ...any) error
	// write runs several statements in one transaction; the record that it
	// returns goes into the outbox with them.
	write(ctx context.Context, fn func(exec func(query string, args ...any) (int64, error)) (record []byte, err error)) error
}

type liteDB struct{ db *sqlite.DB }

func (d liteDB) exec(ctx context.Context, query string, args ...any) (int64, error) {
	return d.db.Exec(ctx, query, args...)
}

func (d liteDB) query(ctx context.Context, row func(func(...any) error) error, query string, args ...any) error {
	rows, err := d.db.Peek(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (d liteDB) write(ctx context.Context, fn func(func(string, ...any) (int64, error)) ([]byte, error)) error {
	return d.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		record, err := fn(func(query string, args ...any) (int64, error) {
			result, err := tx.Exec(ctx, query, args...)
			if err != nil {
				return 0, err
			}
			return result.RowsAffected()
		})
		tx.Record(record)
		return err
	})
}

type pgDB struct {
	db    *postgres.DB
	texts *sync.Map // of queries by their text with "?"
}

// dollars numbers the placeholders.
func (d pgDB) dollars(query string) string {
	if text, ok := d.texts.Load(query); ok {
		return text.(string)
	}
	parts := strings.Split(query, "?")
	var out strings.Builder
	for i, part := range parts {
		if i > 0 {
			out.WriteString("$" + strconv.Itoa(i))
		}
		out.WriteString(part)
	}
	d.texts.Store(query, out.String())
	return out.String()
}

func (d pgDB) exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := d.db.Pool().Exec(ctx, d.dollars(query), args...)
	return tag.RowsAffected(), err
}

func (d pgDB) query(ctx context.Context, row func(func(...any) error) error, query string, args ...any) error {
	rows, err := d.db.Pool().Query(ctx, d.dollars(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (d pgDB) write(ctx context.Context, fn func(func(string, ...any) (int64, error)) ([]byte, error)) error {
	err := d.db.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		record, err := fn(func(query string, args ...any) (int64, error) {
			tag, err := tx.Exec(ctx, d.dollars(query), args...)
			return tag.RowsAffected(), err
		})
		if err != nil {
			return err
		}
		return postgres.Record(ctx, tx, record)
	})
	if err == nil {
		d.db.Recorded()
	}
	return err
}
