package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/gptmesh/gptmesh/pkg/migrate"
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	pool     *pgxpool.Pool
	schema   string
	attempts int
	writer   *Writer
	private  bool                   // the writer ends with the database
	recorded atomic.Pointer[func()] // see OnRecord
}

// Open connects to the database and reports an error when that fails, which
// [IsUnavailable] recognises. Close must be called.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	poolConfig, err := cfg.pool()
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, poolConfig)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("postgres: connect: %w", err)
	}
	db := &DB{pool: pool, schema: cfg.Schema, attempts: cfg.MaxAttempts, writer: cfg.Writer}
	if db.private = cfg.Writer == nil; db.private {
		if db.writer, err = NewWriter(cfg); err != nil {
			pool.Close()
			return nil, err
		}
	}
	if db.attempts <= 0 {
		db.attempts = DefaultMaxAttempts
	}
	return db, nil
}

// Pool returns the pool of connections, whose search_path is the schema. Use
// it for reads and for single statements; several statements that belong
// together go through Write.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }

// Schema returns the schema, empty for the server's default.
func (db *DB) Schema() string { return db.schema }

// Migrate creates the schema when it is missing, applies the migrations in
// fsys that are missing and returns their versions; see migrate.Up. Replicas
// may call it at once.
func (db *DB) Migrate(ctx context.Context, fsys fs.FS) (applied []int64, err error) {
	if err := db.createSchema(ctx); err != nil {
		return nil, err
	}
	err = db.lend(func(std *sql.DB) error {
		applied, err = migrate.Up(ctx, db.migration(std, fsys))
		return err
	})
	return applied, err
}

// Migrations returns the state of each migration in fsys; see migrate.List.
// It creates the schema when it is missing.
func (db *DB) Migrations(ctx context.Context, fsys fs.FS) (list []migrate.Status, err error) {
	if err := db.createSchema(ctx); err != nil {
		return nil, err
	}
	err = db.lend(func(std *sql.DB) error {
		list, err = migrate.List(ctx, db.migration(std, fsys))
		return err
	})
	return list, err
}

func (db *DB) migration(std *sql.DB, fsys fs.FS) migrate.Config {
	return migrate.Config{Engine: migrate.Postgres, DB: std, FS: fsys, Scope: db.schema}
}

// lend gives fn the pool as a database/sql one.
func (db *DB) lend(fn func(*sql.DB) error) error {
	std := stdlib.OpenDBFromPool(db.pool)
	return errors.Join(fn(std), std.Close()) // closes std, not the pool
}

// createSchema may run at once with another: PostgreSQL's "if not exists" can
// then still fail, for the name is taken between its look and its insert. It
// looks first, so that a user without the right to create may use a schema
// that is there.
func (db *DB) createSchema(ctx context.Context) error {
	if db.schema == "" {
		return nil
	}
	var exists bool
	err := db.pool.QueryRow(ctx, "select exists (select from pg_namespace where nspname = $1)", db.schema).Scan(&exists)
	if err != nil || exists {
		return wrap("postgres: schema", err)
	}
	_, err = db.pool.Exec(ctx, "create schema if not exists "+pgx.Identifier{db.schema}.Sanitize())
	var server *pgconn.PgError
	if errors.As(err, &server) && (server.Code == codeUniqueViolation || server.Code == codeDuplicateSchema) {
		return nil
	}
	return wrap("postgres: create schema", err)
}

// Close waits until all connections are given back and closes them. A writer that
// was given to it stays open.
func (db *DB) Close() {
	if db.private {
		db.writer.Close()
	}
	db.pool.Close()
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
