package migrate

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/gptmesh/gptmesh/pkg/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

const (
	first  = "-- +goose Up\ncreate table a (id integer primary key);\n"
	second = "-- +goose Up\ncreate table b (id integer primary key);\ninsert into b values (1);\n"
	broken = "-- +goose Up\ncreate table c (id integer primary key);\ninsert into nowhere values (1);\n"
)

// files are the migrations of a program, named by their texts.
func files(folder string, texts ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i, text := range texts {
		name := "0000" + string(rune('1'+i)) + "_step.sql"
		fsys[folder+name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// engines runs a test on a fresh database of each engine.
func engines(t *testing.T, test func(t *testing.T, cfg Config)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, Config{Engine: SQLite, DB: open(t, "sqlite", filepath.Join(t.TempDir(), "x.db"))})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, Config{Engine: Postgres, DB: open(t, "pgx", pgtest.DB(t)), Scope: "test"})
	})
}

func open(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestUpAppliesWhatIsMissing(t *testing.T) {
	engines(t, func(t *testing.T, cfg Config) {
		for _, step := range []struct {
			fsys fstest.MapFS
			want []int64
		}{
			{files("", first), []int64{1}},
			{files("", first), nil},
			{files("migrations/", first, second), []int64{2}},
		} {
			cfg.FS = step.fsys
			got, err := Up(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(step.want, got); diff != "" {
				t.Error(diff)
			}
		}
		var n int
		if err := cfg.DB.QueryRow("select count(*) from b").Scan(&n); err != nil || n != 1 {
			t.Errorf("%d rows, %v", n, err)
		}
	})
}

func TestListTellsWhatIsApplied(t *testing.T) {
	engines(t, func(t *testing.T, cfg Config) {
		cfg.FS = files("", first)
		if _, err := Up(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		cfg.FS = files("", first, second)
		got, err := List(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		want := []Status{
			{Version: 1, Name: "00001_step.sql", Applied: true},
			{Version: 2, Name: "00002_step.sql"},
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Status{}, "AppliedAt")); diff != "" {
			t.Error(diff)
		}
		if got[0].AppliedAt.IsZero() || !got[1].AppliedAt.IsZero() {
			t.Errorf("times %v, %v", got[0].AppliedAt, got[1].AppliedAt)
		}
	})
}

func TestFailedMigrationIsRolledBack(t *testing.T) {
	engines(t, func(t *testing.T, cfg Config) {
		cfg.FS = files("", first, broken)
		got, err := Up(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), "00002_step.sql") {
			t.Errorf("got %v, want an error that names the file", err)
		}
		if diff := cmp.Diff([]int64{1}, got); diff != "" {
			t.Error(diff)
		}
		if _, err := cfg.DB.Exec("select * from c"); err == nil {
			t.Error("half of a migration stayed")
		}
		cfg.FS = files("", first, second)
		if got, err := Up(t.Context(), cfg); err != nil || len(got) != 1 {
			t.Errorf("after the mend: %v, %v", got, err)
		}
	})
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	engines(t, func(t *testing.T, cfg Config) {
		cfg.FS = files("", first, second)
		if _, err := Up(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		cfg.FS = files("", first)
		_, err := Up(t.Context(), cfg)
		var newer *NewerError
		if !errors.As(err, &newer) || newer.Database != 2 || newer.Program != 1 {
			t.Errorf("got %v", err)
		}
		list, err := List(t.Context(), cfg)
		if err != nil || len(list) != 2 || list[1].Version != 2 || list[1].Name != "" {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// TestParallelReplicas has the first replicas of an installation start at
// once, with a migration that must not run twice. SQLite's turn is in package
// sqlite, which holds the lock for it.
func TestParallelReplicas(t *testing.T) {
	t.Parallel()
	url := pgtest.DB(t)
	const twice = "-- +goose Up\ncreate table if not exists n (id int);\ninsert into n values (1);\nselect pg_sleep(0.2);\n"
	var mu sync.Mutex
	var applied []int64
	var wg sync.WaitGroup
	for range 4 {
		db := open(t, "pgx", url)
		wg.Go(func() {
			got, err := Up(t.Context(), Config{Engine: Postgres, DB: db, FS: files("", twice), Scope: "test"})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			applied = append(applied, got...)
			mu.Unlock()
		})
	}
	wg.Wait()
	if diff := cmp.Diff([]int64{1}, applied); diff != "" {
		t.Error(diff)
	}
	var n int
	if err := open(t, "pgx", url).QueryRow("select count(*) from n").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	db := open(t, "sqlite", filepath.Join(t.TempDir(), "x.db"))
	for name, cfg := range map[string]Config{
		"engine":   {Engine: "oracle", DB: db, FS: files("", first)},
		"no files": {Engine: SQLite, DB: db, FS: fstest.MapFS{}},
	} {
		if _, err := Up(t.Context(), cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
