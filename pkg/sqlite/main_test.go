package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		os.Exit(child(path))
	}
	goleak.VerifyTestMain(m)
}

var schema = fstest.MapFS{
	"migrations/00001_rows.sql": {Data: []byte(`-- +goose Up
create table rows (id integer primary key, name text not null unique, body blob);
create table notes (row integer not null references rows(id), text text not null);
`)},
}

// open opens a migrated database in a directory of its own.
func open(t testing.TB, cfg Config) *DB {
	t.Helper()
	if cfg.Path == "" {
		cfg.Path = filepath.Join(t.TempDir(), "odd name %41?#.db")
	}
	db, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := db.Migrate(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	return db
}

func insert(id int, name string) func(context.Context, *Tx) error {
	return func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, "insert into rows (id, name) values (?, ?)", id, name)
		return err
	}
}

func count(t testing.TB, db *DB) int {
	t.Helper()
	var n int
	if err := db.QueryRow(t.Context(), "select count(*) from rows").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
