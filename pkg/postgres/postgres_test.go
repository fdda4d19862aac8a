package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/gptmesh/gptmesh/pkg/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

var schema = fstest.MapFS{
	"migrations/00001_rows.sql": {Data: []byte("-- +goose Up\ncreate table rows (id bigint primary key, n bigint not null default 0, body bytea);\n")},
}

func open(t testing.TB, cfg Config) *DB {
	t.Helper()
	if cfg.URL == "" {
		cfg.URL = pgtest.DB(t)
	}
	if cfg.Schema == "" {
		cfg.Schema = "room"
	}
	db, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if _, err := db.Migrate(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	return db
}

func insert(id int) func(context.Context, pgx.Tx) error {
	return func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "insert into rows (id) values ($1)", id)
		return err
	}
}

func count(t *testing.T, db *DB) int {
	t.Helper()
	var n int
	if err := db.Pool().QueryRow(t.Context(), "select count(*) from rows").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSchemasAreApart(t *testing.T) {
	t.Parallel()
	url := pgtest.DB(t)
	a := open(t, Config{URL: url, Schema: "a"})
	b := open(t, Config{URL: url, Schema: "b"})
	if err := a.Write(t.Context(), insert(1)); err != nil {
		t.Fatal(err)
	}
	if count(t, a) != 1 || count(t, b) != 0 {
		t.Errorf("a has %d rows, b %d", count(t, a), count(t, b))
	}
	var app string
	if err := b.Pool().QueryRow(t.Context(), "select current_setting('application_name')").Scan(&app); err != nil {
		t.Fatal(err)
	}
	if app != "gptmesh b" {
		t.Errorf("application name %q", app)
	}
	var outside int
	if err := a.Pool().QueryRow(t.Context(), "select count(*) from pg_tables where schemaname = 'public'").Scan(&outside); err != nil || outside != 0 {
		t.Errorf("%d tables outside of the schemas, %v", outside, err)
	}
}

func TestReplicasMigrateAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.DB(t)
	var mu sync.Mutex
	var applied []int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			db, err := Open(t.Context(), Config{URL: url, Schema: "room", MaxConns: 2})
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			got, err := db.Migrate(t.Context(), schema)
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
	list, err := open(t, Config{URL: url}).Migrations(t.Context(), schema)
	if err != nil || len(list) != 1 || !list[0].Applied {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestKeywordString(t *testing.T) {
	t.Parallel()
	url := pgtest.DB(t)
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	dsn := fmt.Sprintf("host=%s port=%d user=%s password='%s' dbname=%s sslmode=disable", cfg.Host, cfg.Port, cfg.User, cfg.Password, cfg.Database)
	if err := open(t, Config{URL: dsn}).Write(t.Context(), insert(1)); err != nil {
		t.Error(err)
	}
}

func TestFailedWriteIsUndone(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	own := errors.New("own")
	runs := 0
	err := db.Write(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		runs++
		return errors.Join(insert(1)(ctx, tx), own)
	})
	if !errors.Is(err, own) || runs != 1 {
		t.Errorf("got %v after %d runs", err, runs)
	}
	err = db.Write(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		_ = insert(2)(ctx, tx)
		panic(own)
	})
	var blown *PanicError
	if !errors.As(err, &blown) || !errors.Is(err, own) || len(blown.Stack) == 0 {
		t.Errorf("got %v", err)
	}
	if n := count(t, db); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestConflictsAreTriedAgain(t *testing.T) {
	t.Parallel()
	db := open(t, Config{MaxAttempts: 100})
	if err := db.Write(t.Context(), insert(1)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if err := db.WriteTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.Serializable}, func(ctx context.Context, tx pgx.Tx) error {
					var n int
					if err := tx.QueryRow(ctx, "select n from rows where id = 1").Scan(&n); err != nil {
						return err
					}
					if _, err := tx.Exec(ctx, "update rows set n = $1 where id = 1", n+1); err != nil {
						return fmt.Errorf("wrapped: %w", err)
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var n int
	if err := db.Pool().QueryRow(t.Context(), "select n from rows").Scan(&n); err != nil || n != 40 {
		t.Errorf("n = %d, want 40, %v", n, err)
	}
}

func TestTriesAreBounded(t *testing.T) {
	t.Parallel()
	db := open(t, Config{MaxAttempts: 3})
	runs := 0
	err := db.Write(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		runs++
		_, err := tx.Exec(ctx, "do $$ begin raise exception using errcode = 'deadlock_detected'; end $$")
		return err
	})
	if !IsConflict(err) || runs != 3 {
		t.Errorf("got %v after %d runs", err, runs)
	}
}

func TestEndedContextStopsTheWrite(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		defer cancel()
		return insert(1)(ctx, tx)
	})
	if !errors.Is(err, context.Canceled) || IsUnavailable(err) {
		t.Errorf("got %v", err)
	}
	if n := count(t, db); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestErrorPredicates(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	if err := db.Write(t.Context(), insert(1)); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), insert(1)); !IsUniqueViolation(err) || !IsConstraintViolation(err) || IsUnavailable(err) {
		t.Errorf("same key: %v", err)
	}
	err := db.Write(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "insert into rows (id, n) values (2, null)")
		return err
	})
	if IsUniqueViolation(err) || !IsConstraintViolation(err) {
		t.Errorf("null: %v", err)
	}
	err = db.Write(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "select pg_terminate_backend(pg_backend_pid())")
		return err
	})
	if !IsUnavailable(err) {
		t.Errorf("connection ended by the server: %v", err)
	}
	if err := db.Write(t.Context(), insert(3)); err != nil {
		t.Errorf("after the connection ended: %v", err)
	}
	if IsUnavailable(nil) || IsUniqueViolation(nil) || IsConflict(nil) || IsFull(nil) {
		t.Error("nil")
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"empty":  {},
		"schema": {URL: "postgres://h/db", Schema: `x"; drop`},
		"URL":    {URL: "postgres://user:secret@h:notaport/db"},
		"spaces": {URL: "host=h password = secret port=notaport"},
	} {
		_, err := Open(t.Context(), cfg)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := Open(t.Context(), Config{URL: "postgres://user:secret@/db?host=" + t.TempDir()})
	if !IsUnavailable(err) || strings.Contains(err.Error(), "secret") {
		t.Errorf("no server: %v", err)
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, callers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			db := open(b, Config{MaxConns: 16})
			ctx := b.Context()
			var next atomic.Int64
			body := []byte(strings.Repeat("x", 400))
			write := func() error {
				return db.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
					_, err := tx.Exec(ctx, "insert into rows (id, body) values ($1, $2)", next.Add(1), body)
					return err
				})
			}
			b.ReportAllocs()
			if callers == 1 {
				for b.Loop() {
					if err := write(); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			b.SetParallelism(max(1, callers/2))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := write(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
