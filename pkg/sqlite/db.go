package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/gptmesh/gptmesh/pkg/groupcommit"
	"github.com/gptmesh/gptmesh/pkg/migrate"
	"github.com/gptmesh/gptmesh/pkg/outbox"
)

// ErrClosed answers a Write that comes after, or is overtaken by, Close.
var ErrClosed = groupcommit.ErrClosed

// Stats counts batches and writes; see groupcommit.Stats.
type Stats = groupcommit.Stats

// DB is an open database. It is safe for concurrent use.
type DB struct {
	cfg    Config
	read   *sql.DB
	cached *readStatements
	writer *writer
	commit *groupcommit.Committer[*writer]
	close  sync.Once
	err    error // of Close

	pending pending       // written later
	held    pending       // with a Key; run behind those
	texts   texts         // of what is
	lost    atomic.Uint64 // writes that were, and failed
}

// Open opens the database and creates the file, readable by the owner alone,
// when it is missing. Close must be called.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	// Known before any file is open: a system call is not replaced under its caller.
	if known := registerVFS(vfsName, ""); known == nil && cfg.vfs == "" {
		cfg.vfs = vfsName
	}
	// SQLite gives its log and index the mode of the database file.
	file, err := os.OpenFile(cfg.Path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	write, err := sql.Open("sqlite", cfg.writerDSN())
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", cfg.Path, err)
	}
	write.SetMaxOpenConns(1)
	w, err := openWriter(cfg, write)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: open %s: %w", cfg.Path, err), write.Close())
	}
	read, err := sql.Open("sqlite", cfg.readerDSN())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: open %s: %w", cfg.Path, err), w.close())
	}
	read.SetMaxOpenConns(cfg.ReadConns)
	read.SetMaxIdleConns(cfg.ReadConns)
	db := &DB{
		cfg:    cfg,
		read:   read,
		cached: &readStatements{db: read},
		writer: w,
		commit: groupcommit.New[*writer](w, groupcommit.Config{MaxBatch: cfg.MaxBatch, Queue: cfg.Queue}),
	}
	if err := db.attach(ctx); err != nil {
		db.commit.Close()
		return nil, errors.Join(fmt.Errorf("sqlite: open %s: %w", cfg.Path, err), read.Close(), w.close())
	}
	return db, nil
}

// Read returns the pool of readers. Its connections refuse to write, and see
// every write that was acknowledged before the statement began, but for those
// that were written later: Query and Select see these too.
func (db *DB) Read() *sql.DB { return db.read }

// Select is Query for texts made at run time.
func (db *DB) Select(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := db.settle(ctx); err != nil {
		return nil, err
	}
	return db.read.QueryContext(ctx, query, args...)
}

// Query reads with a statement kept prepared by its text. Use it for fixed
// texts; for texts made at run time use Select. SQLite plans a statement anew for each
// value of "limit ?", and not for those of "limit ? + 0".
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := db.settle(ctx); err != nil {
		return nil, err
	}
	stmt, err := db.cached.get(ctx, query)
	if err != nil {
		return nil, err
	}
	if stmt == nil {
		return db.read.QueryContext(ctx, query, args...)
	}
	return stmt.QueryContext(ctx, args...)
}

// QueryRow is Query for at most one row; its error comes with Scan.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	if err := db.settle(ctx); err != nil {
		return rowOf(err)
	}
	stmt, err := db.cached.get(ctx, query)
	if err != nil {
		return rowOf(err)
	}
	if stmt == nil {
		return db.read.QueryRowContext(ctx, query, args...)
	}
	return stmt.QueryRowContext(ctx, args...)
}

// Write runs fn in a transaction that it may share with concurrent calls, and
// returns nil only after the commit. fn runs once, or not at all.
//
// When fn returns an error or panics, its changes alone are undone and Write
// returns that error (a *groupcommit.PanicError for a panic). When the commit
// fails, every call that shared it gets the error.
//
// A ctx that ends while the call waits for its turn takes it out of the queue.
// Once fn has begun it runs to its end; the context it is given carries ctx's
// values but never ends. fn should be short, since all writers wait for it,
// must not call Write, and must not keep tx. Deferred foreign keys are checked
// at the shared commit and would fail the others: declare keys immediate.
//
// It comes behind all that was written later before it. What ctx carries for the
// outbox is told with the commit.
func (db *DB) Write(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	if err := db.settle(ctx); err != nil {
		return err
	}
	return db.commit.Do(ctx, func(ctx context.Context, w *writer) error {
		tx := &Tx{w: w}
		defer tx.end()
		if err := fn(ctx, tx); err != nil {
			return err
		}
		tx.Record(outbox.From(ctx))
		return nil
	})
}

// Exec runs one statement that returns no rows like a Write of nothing else, at
// less cost, and returns how many rows it changed. args are kept until it
// returns. Where it changed none, what ctx carries for the outbox is not told.
func (db *DB) Exec(ctx context.Context, query string, args ...any) (changed int64, err error) {
	return db.Run(ctx, Stmt{Query: query, Args: args})
}

// Run is Exec of a Stmt.
func (db *DB) Run(ctx context.Context, stmt Stmt) (changed int64, err error) {
	if err := db.settle(ctx); err != nil {
		return 0, err
	}
	return db.exec(ctx, stmt)
}

// Migrate applies the migrations in fsys that are missing and returns their
// versions; see migrate.Up. Parallel calls, also of other processes, wait for
// each other. Writes wait as well, so it belongs before the first.
func (db *DB) Migrate(ctx context.Context, fsys fs.FS) (applied []int64, err error) {
	if !db.cfg.Alone {
		unlock, err := lockDir(ctx, filepath.Dir(db.cfg.Path))
		if err != nil {
			return nil, fmt.Errorf("sqlite: lock for migration: %w", err)
		}
		defer func() { err = errors.Join(err, unlock()) }()
	}
	err = db.writer.lend(func(write *sql.DB) error {
		return db.flushOnce(ctx, write, func() (changed bool, err error) {
			applied, err = migrate.Up(ctx, migrate.Config{Engine: migrate.SQLite, DB: write, FS: fsys})
			return len(applied) > 0, err
		})
	})
	return applied, err
}

// flushOnce flushes what fn commits at its end, instead of at each commit. What a
// loss of power takes meanwhile are whole commits, the newest ones.
func (db *DB) flushOnce(ctx context.Context, write *sql.DB, fn func() (changed bool, err error)) error {
	if db.cfg.Synchronous != Full {
		_, err := fn()
		return err
	}
	if _, err := write.ExecContext(ctx, "PRAGMA synchronous = NORMAL"); err != nil {
		return err
	}
	changed, err := fn()
	if _, again := write.ExecContext(context.WithoutCancel(ctx), "PRAGMA synchronous = FULL"); again != nil || !changed {
		return errors.Join(err, again)
	}
	// SQLite holds its locks on other files than the log, so that closing this
	// one here takes none away.
	log, missing := os.OpenFile(db.cfg.Path+"-wal", os.O_RDWR, 0)
	if errors.Is(missing, fs.ErrNotExist) {
		return err
	}
	if missing != nil {
		return errors.Join(err, missing)
	}
	return errors.Join(err, log.Sync(), log.Close())
}

// Migrations returns the state of each migration in fsys; see migrate.List.
func (db *DB) Migrations(ctx context.Context, fsys fs.FS) (list []migrate.Status, err error) {
	err = db.writer.lend(func(write *sql.DB) error {
		list, err = migrate.List(ctx, migrate.Config{Engine: migrate.SQLite, DB: write, FS: fsys})
		return err
	})
	return list, err
}

// Stats returns how many transactions were committed and how many writes they
// held.
func (db *DB) Stats() Stats { return db.commit.Stats() }

// Lost returns how many writes that were acknowledged could not be run: by the
// rules of Later, none.
func (db *DB) Lost() uint64 { return db.lost.Load() }

// Close refuses new writes, waits for those queued, moves the log into the
// database file and closes all connections. It may be called more than once.
// Reads must have ended.
func (db *DB) Close() error {
	db.close.Do(func() {
		err := db.detach()
		db.commit.Close()
		db.err = errors.Join(err, db.cached.close(), db.read.Close(), db.writer.close())
	})
	return db.err
}
