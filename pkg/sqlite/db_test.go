package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gptmesh/gptmesh/pkg/groupcommit"
)

func TestOpenSetsTheDatabaseUp(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	got := map[string]string{}
	err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
		for _, name := range []string{"journal_mode", "synchronous", "foreign_keys", "busy_timeout"} {
			var v string
			if err := tx.QueryRow(ctx, "pragma "+name).Scan(&v); err != nil {
				return err
			}
			got[name] = v
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(db.cfg.Path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", info.Name(), info.Mode().Perm())
		}
	}
}

func TestOpenRefusesBadConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"no path":      {},
		"no directory": {Path: filepath.Join(t.TempDir(), "missing", "x.db")},
		"synchronous":  {Path: filepath.Join(t.TempDir(), "x.db"), Synchronous: "SOMETIMES"},
	} {
		if db, err := Open(t.Context(), cfg); err == nil {
			db.Close()
			t.Errorf("%s: no error", name)
		}
	}
	path := filepath.Join(t.TempDir(), "text.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if db, err := Open(t.Context(), Config{Path: path}); err == nil {
		db.Close()
		t.Error("a text file was opened as a database")
	}
}

func TestReadersCannotWrite(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	if _, err := db.Read().Exec("insert into rows (id, name) values (1, 'x')"); err == nil {
		t.Error("a reader wrote")
	}
}

func TestFailedWriteLeavesTheOthers(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	own := errors.New("own")
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
				if err := insert(i, fmt.Sprint(i))(ctx, tx); err != nil {
					return err
				}
				switch i % 3 {
				case 1:
					return own
				case 2:
					panic("blown")
				}
				return nil
			})
			var blown *groupcommit.PanicError
			if i%3 == 0 && err != nil || i%3 == 1 && !errors.Is(err, own) || i%3 == 2 && !errors.As(err, &blown) {
				t.Errorf("write %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := count(t, db); n != 100 {
		t.Errorf("%d rows, want 100", n)
	}
	if s := db.Stats(); s.Writes != 100 || s.Batches == 0 || s.Batches > s.Writes {
		t.Errorf("stats %+v", s)
	}
}

// TestReadsSeeAcknowledgedWrites also is the race test: readers and writers
// at once.
func TestReadsSeeAcknowledgedWrites(t *testing.T) {
	t.Parallel()
	db := open(t, Config{Synchronous: Off})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 50 {
				id := w*1000 + i
				if err := db.Write(t.Context(), insert(id, fmt.Sprint(id))); err != nil {
					t.Error(err)
					return
				}
				var name string
				if err := db.QueryRow(t.Context(), "select name from rows where id = ?", id).Scan(&name); err != nil {
					t.Errorf("row %d: %v", id, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestCancelBeforeTheTurn(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	running, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = db.Write(t.Context(), func(context.Context, *Tx) error { close(running); <-release; return nil })
	})
	<-running
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan error)
	wg.Go(func() { cancelled <- db.Write(ctx, insert(1, "late")) })
	cancel()
	if err := <-cancelled; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	wg.Wait()
	if n := count(t, db); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestCancelDuringTheWriteIsTooLate(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Write(ctx, func(_ context.Context, tx *Tx) error {
		cancel()
		return insert(1, "a")(ctx, tx) // the outer context, by mistake
	})
	if err != nil || count(t, db) != 1 {
		t.Errorf("err %v, rows %d", err, count(t, db))
	}
}

func TestCloseWaitsAndCheckpoints(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	db := open(t, Config{Path: path})
	running, release := make(chan struct{}), make(chan struct{})
	wrote := make(chan error, 1)
	go func() {
		wrote <- db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
			close(running)
			<-release
			return insert(1, "a")(ctx, tx)
		})
	}()
	<-running
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	select {
	case <-closed:
		t.Error("Close did not wait for the running write")
	default:
	}
	close(release)
	if err := <-wrote; err != nil {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := db.Write(t.Context(), insert(2, "b")); !errors.Is(err, ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		t.Errorf("%d bytes left in the log", info.Size())
	}
	again := open(t, Config{Path: path})
	if n := count(t, again); n != 1 {
		t.Errorf("%d rows after reopening", n)
	}
}

func TestErrorPredicates(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	if err := db.Write(t.Context(), insert(1, "a")); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), insert(1, "b")); !IsUniqueViolation(err) || !IsConstraintViolation(err) {
		t.Errorf("same key: %v", err)
	}
	if err := db.Write(t.Context(), insert(2, "a")); !IsUniqueViolation(err) {
		t.Errorf("same name: %v", err)
	}
	err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, "insert into notes (row, text) values (99, 'x')")
		return err
	})
	if IsUniqueViolation(err) || !IsConstraintViolation(err) || IsBusy(err) || IsUnavailable(err) {
		t.Errorf("missing parent: %v", err)
	}
	if IsUniqueViolation(nil) || IsBusy(nil) || IsUnavailable(nil) || IsConstraintViolation(sql.ErrNoRows) {
		t.Error("no SQLite error")
	}
}

func TestBusyWhenAnotherProcessWrites(t *testing.T) {
	t.Parallel()
	db := open(t, Config{BusyTimeout: 1})
	other, err := sql.Open("sqlite", db.cfg.writerDSN())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), insert(1, "a")); !IsBusy(err) {
		t.Errorf("got %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), insert(1, "a")); err != nil {
		t.Errorf("after the lock went: %v", err)
	}
}

// TestFullDatabase fills the database up, alone and within batches: nothing
// is acknowledged that is not there, and writes go on when there is room.
func TestFullDatabase(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	limit := func(pages int) {
		t.Helper()
		if err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
			var n int
			return tx.QueryRow(ctx, fmt.Sprintf("pragma max_page_count(%d)", pages)).Scan(&n)
		}); err != nil {
			t.Fatal(err)
		}
	}
	limit(40)
	var mu sync.Mutex
	acknowledged, full := map[int]bool{}, 0
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			const query = "insert into rows (id, name, body) values (?, ?, zeroblob(8000))"
			var err error
			if i%3 == 0 {
				_, err = db.Exec(t.Context(), query, i, fmt.Sprint(i))
			} else {
				err = db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
					_, err := tx.Exec(ctx, query, i, fmt.Sprint(i))
					if i%3 == 1 {
						return nil // swallows the error, which must not help
					}
					return err
				})
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				acknowledged[i] = true
			} else if IsUnavailable(err) {
				full++
			} else {
				t.Errorf("write %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if full == 0 {
		t.Error("the database never was full")
	}
	if n := count(t, db); n != len(acknowledged) {
		t.Errorf("%d rows, %d acknowledged", n, len(acknowledged))
	}
	limit(100000)
	if err := db.Write(t.Context(), insert(1000, "room again")); err != nil {
		t.Error(err)
	}
}

func TestMigrateInParallel(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	var mu sync.Mutex
	var applied []int64
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			db, err := Open(t.Context(), Config{Path: path})
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			versions, err := db.Migrate(t.Context(), schema)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			applied = append(applied, versions...)
			mu.Unlock()
		})
	}
	wg.Wait()
	if diff := cmp.Diff([]int64{1}, applied); diff != "" {
		t.Error(diff)
	}
	db := open(t, Config{Path: path})
	list, err := db.Migrations(t.Context(), schema)
	if err != nil || len(list) != 1 || !list[0].Applied || list[0].Name != "00001_rows.sql" || list[0].AppliedAt.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
}
