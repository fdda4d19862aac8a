package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"path"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Engine is a kind of database.
type Engine string

// The engines that are known.
const (
	SQLite   Engine = "sqlite3"
	Postgres Engine = "postgres"
)

// folder holds the migrations when they are not at the root.
const folder = "migrations"

// Config says what to migrate.
type Config struct {
	// Engine is the kind of database behind DB.
	Engine Engine
	// DB runs the migrations. For PostgreSQL its search_path names the schema
	// that holds the tables, which must exist.
	DB *sql.DB
	// FS holds the migrations, at its root or in the folder "migrations".
	FS fs.FS
	// Scope names what is migrated among everything in one PostgreSQL
	// database, such as the schema: migrations of one scope wait for each
	// other, those of different scopes do not. Ignored for SQLite, where the
	// caller keeps parallel runs apart.
	Scope string
}

// Status is one migration and whether the database has it.
type Status struct {
	// Version is the number in the file's name.
	Version int64
	// Name is the file's name, empty for a version that only the database
	// knows.
	Name string
	// Applied says that the database has it.
	Applied bool
	// AppliedAt is when, as the database tells; zero when not applied.
	AppliedAt time.Time
}

// NewerError says that the database has a migration newer than all those of
// this program: a newer program has run on it.
type NewerError struct {
	// Database is the newest version applied, Program the newest known.
	Database, Program int64
}

// Error tells both versions and what to do.
func (e *NewerError) Error() string {
	return fmt.Sprintf("database schema is at version %d, this program knows only up to %d: "+
		"run the newer program, or restore a backup made before the upgrade", e.Database, e.Program)
}

// Up applies the migrations that the database does not have yet, oldest
// first, and returns their versions in that order, empty when there were
// none. On PostgreSQL parallel runs of one scope are safe: one applies, the
// others wait up to five minutes and find nothing left to do.
//
// When a migration fails, its own transaction is rolled back, those before it
// stay and are returned with the error. A [NewerError] means that nothing was
// done because the database is ahead.
func Up(ctx context.Context, cfg Config) ([]int64, error) {
	provider, err := newProvider(cfg)
	if err != nil {
		return nil, err
	}
	if err := refuseNewer(ctx, provider); err != nil {
		return nil, err
	}
	// Replicas that start on a database that is up to date do not queue for
	// the lock, which is polled once a second.
	if pending, err := provider.HasPending(ctx); err == nil && !pending {
		return nil, nil
	}
	results, err := provider.Up(ctx)
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		return versions(partial.Applied), fmt.Errorf("migration %s: %w", path.Base(partial.Failed.Source.Path), partial.Err)
	}
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	return versions(results), nil
}

// List returns every migration of the program in order of version, then those
// that only the database knows when it is newer. It changes nothing but for
// the table of versions, which it creates when missing.
func List(ctx context.Context, cfg Config) ([]Status, error) {
	provider, err := newProvider(cfg)
	if err != nil {
		return nil, err
	}
	states, err := provider.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("migration status: %w", err)
	}
	list := make([]Status, 0, len(states)+1)
	for _, s := range states {
		list = append(list, Status{
			Version:   s.Source.Version,
			Name:      path.Base(s.Source.Path),
			Applied:   s.State == goose.StateApplied,
			AppliedAt: s.AppliedAt,
		})
	}
	var newer *NewerError
	if err := refuseNewer(ctx, provider); errors.As(err, &newer) {
		list = append(list, Status{Version: newer.Database, Applied: true})
	} else if err != nil {
		return nil, err
	}
	return list, nil
}

func newProvider(cfg Config) (*goose.Provider, error) {
	source := cfg.FS
	if info, err := fs.Stat(source, folder); err == nil && info.IsDir() {
		if source, err = fs.Sub(source, folder); err != nil {
			return nil, fmt.Errorf("migrations: %w", err)
		}
	}
	options := []goose.ProviderOption{
		goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()),
	}
	switch cfg.Engine {
	case SQLite:
	case Postgres:
		locker, err := lock.NewPostgresSessionLocker(
			lock.WithLockID(lockID(cfg.Scope)),
			lock.WithLockTimeout(1, 300),
			lock.WithUnlockTimeout(1, 60),
		)
		if err != nil {
			return nil, fmt.Errorf("migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	default:
		return nil, fmt.Errorf("migrate: unknown engine %q", cfg.Engine)
	}
	provider, err := goose.NewProvider(goose.Dialect(cfg.Engine), cfg.DB, source, options...)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	return provider, nil
}

// lockID is the advisory lock of a scope.
func lockID(scope string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("gptmesh migrations " + scope))
	return int64(h.Sum64())
}

func refuseNewer(ctx context.Context, provider *goose.Provider) error {
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("schema version: %w", err)
	}
	if current > target {
		return &NewerError{Database: current, Program: target}
	}
	return nil
}

func versions(results []*goose.MigrationResult) []int64 {
	list := make([]int64, 0, len(results))
	for _, r := range results {
		list = append(list, r.Source.Version)
	}
	return list
}
