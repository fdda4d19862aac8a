package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
)

func row(db *DB, id int, body string) Stmt {
	return Stmt{Query: "insert into " + db.Table("rows") + " (id, body) values", Args: []any{id, []byte(body)}, Row: true}
}

func add(db *DB, id int) Stmt {
	return Stmt{Query: "update " + db.Table("rows") + " set n = n + 1 where id = $1", Args: []any{id}, Must: true}
}

var withOutbox = fstest.MapFS{
	"migrations/00001_rows.sql": {Data: []byte(`-- +goose Up
create table rows (id bigint primary key, n bigint not null default 0, body bytea);
create table leaves (id bigint primary key, of bigint not null references rows);
create table outbox (id bigserial primary key, micros bigint not null, record bytea not null);
`)},
}

// shared opens databases that share a writer, whose work begins with start.
func shared(t *testing.T, rooms ...string) (list []*DB, w *Writer, start func()) {
	t.Helper()
	url := pgtest.DB(t)
	w, err := makeWriter(Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	start = sync.OnceFunc(func() { go w.loop() })
	t.Cleanup(func() { start(); w.Close() })
	for _, room := range rooms {
		db, err := Open(t.Context(), Config{URL: url, Schema: room, Writer: w})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		if _, err := db.Migrate(t.Context(), withOutbox); err != nil {
			t.Fatal(err)
		}
		list = append(list, db)
	}
	return list, w, start
}

// queue runs a call and returns when it waits.
func queue(w *Writer, call func() error) (done <-chan error) {
	before, answer := len(w.queue), make(chan error, 1)
	go func() { answer <- call() }()
	for len(w.queue) == before {
		runtime.Gosched()
	}
	return answer
}

// atOnce runs calls in their order and in one commit, the writer's first, and returns their errors.
func atOnce(w *Writer, start func(), calls ...func() error) []error {
	var done []<-chan error
	for _, call := range calls {
		done = append(done, queue(w, call))
	}
	start()
	errs := make([]error, len(done))
	for i := range done {
		errs[i] = <-done[i]
	}
	return errs
}

func have(t *testing.T, db *DB, ids ...int) {
	t.Helper()
	if _, err := db.Pool().Exec(t.Context(), "insert into rows (id) select unnest($1::bigint[])", ids); err != nil {
		t.Fatal(err)
	}
}

func TestCallsShareACommit(t *testing.T) {
	t.Parallel()
	dbs, w, start := shared(t, "a", "b")
	a, b := dbs[0], dbs[1]
	var calls []func() error
	for i := range 20 {
		db := dbs[i%2]
		calls = append(calls, func() error {
			ctx := outbox.With(context.Background(), fmt.Appendf(nil, "[%d]", i))
			return db.Commit(ctx, row(db, i, fmt.Sprint(i)))
		})
	}
	for i, err := range atOnce(w, start, calls...) {
		if err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if got := w.Stats(); got.Commits != 1 || got.Writes != 20 {
		t.Errorf("%+v", got)
	}
	if count(t, a) != 10 || count(t, b) != 10 {
		t.Errorf("a has %d rows, b %d", count(t, a), count(t, b))
	}
	for db, want := range map[*DB]string{a: "[0][2][4][6][8][10][12][14][16][18]", b: "[1][3][5][7][9][11][13][15][17][19]"} {
		var records int
		var text string
		if err := db.Pool().QueryRow(t.Context(), "select count(*), convert_from(string_agg(record, ''), 'UTF8') from outbox").Scan(&records, &text); err != nil {
			t.Fatal(err)
		}
		if records != 1 || text != want {
			t.Errorf("%d records: %s", records, text)
		}
		var wrong int
		if err := db.Pool().QueryRow(t.Context(), "select count(*) from rows where convert_from(body, 'UTF8') <> id::text").Scan(&wrong); err != nil || wrong != 0 {
			t.Errorf("%d rows have others' values, %v", wrong, err)
		}
	}
}

// Rows that refer to others of their call come after these, whoever was first.
func TestRowsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	dbs, w, _ := shared(t, "room")
	db := dbs[0]
	have(t, db, 100)
	leaf := func(id, of int) Stmt {
		return Stmt{Query: "insert into " + db.Table("leaves") + " (id, of) values", Args: []any{id, of}, Row: true}
	}
	calls := []*call{{db: db, stmts: []Stmt{leaf(1, 100)}}}
	for i := range 9 {
		calls = append(calls, &call{db: db, stmts: []Stmt{row(db, i, ""), leaf(10+i, i)}})
	}
	s := w.sentence(calls, true)
	if failed, err := w.send(t.Context(), s); err != nil {
		t.Errorf("statement %d: %v", failed, err)
	}
	if len(s.parts) != 2+2 { // nine rows and ten leaves, in eights and what is left
		t.Errorf("%d statements", len(s.parts))
	}
}

func TestRefusedCallsAreLeftOut(t *testing.T) {
	t.Parallel()
	dbs, w, start := shared(t, "room")
	db := dbs[0]
	have(t, db, 5, 6)
	var calls []func() error
	for i := range 20 {
		calls = append(calls, func() error {
			return db.Commit(outbox.With(context.Background(), fmt.Appendf(nil, "[%d]", i)), row(db, i, "new"), row(db, 100+i, "beside"))
		})
	}
	calls = append(calls,
		func() error {
			return db.Commit(outbox.With(context.Background(), []byte("none")), row(db, 200, "beside"), add(db, 77))
		},
		func() error { return db.Commit(context.Background(), add(db, 5)) },
		func() error {
			return db.Commit(context.Background(), row(db, 300, "x"), Stmt{Query: "delete from nowhere"})
		},
		func() error {
			return db.Commit(context.Background(), row(db, 300, "x"), Stmt{Query: "update " + db.Table("rows") + " set n = $1", Args: []any{t}})
		},
	)
	errs := atOnce(w, start, calls...)
	for i, err := range errs {
		switch {
		case i == 5 || i == 6:
			if !IsUniqueViolation(err) {
				t.Errorf("call %d: %v", i, err)
			}
		case i == 20:
			if !errors.Is(err, ErrUnchanged) {
				t.Errorf("a call that changes nothing: %v", err)
			}
		case i == 22 || i == 23:
			if err == nil {
				t.Error("a statement that cannot be was taken")
			}
		case err != nil:
			t.Errorf("call %d: %v", i, err)
		}
	}
	var left int
	if err := db.Pool().QueryRow(t.Context(), "select count(*) from rows where id in (105, 106, 200, 300)").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows of calls that were refused, %v", left, err)
	}
	var n int64
	if err := db.Pool().QueryRow(t.Context(), "select n from rows where id = 5").Scan(&n); err != nil || n != 1 {
		t.Errorf("changed %d times, %v", n, err)
	}
	var text string
	if err := db.Pool().QueryRow(t.Context(), "select convert_from(string_agg(record, ''), 'UTF8') from outbox").Scan(&text); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("[0][1][2][3][4][7][8][9][10][11][12][13][14][15][16][17][18][19]", text); diff != "" {
		t.Error(diff)
	}
}

// lock holds row 1 until release is called, which returns what became of that.
func lock(t *testing.T, db *DB) (release func() error) {
	t.Helper()
	held, let, over := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		over <- db.Write(context.Background(), func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "update rows set n = 10 where id = 1")
			close(held)
			<-let
			return err
		})
	}()
	<-held
	release = sync.OnceValue(func() error { close(let); return <-over })
	t.Cleanup(func() { _ = release() })
	return release
}

// A call that cannot even be prepared makes those that came with it be sent one by one.
// One of them that waits for a lock holds up neither the others nor who comes later.
func TestLockedRowBesideABadCall(t *testing.T) {
	t.Parallel()
	dbs, w, start := shared(t, "room")
	db := dbs[0]
	have(t, db, 1, 2, 3)
	release := lock(t, db)
	bad := queue(w, func() error { return db.Commit(context.Background(), Stmt{Query: "update nowhere set n = 1"}) })
	late := queue(w, func() error { return db.Commit(context.Background(), add(db, 1)) })
	beside := queue(w, func() error { return db.Commit(context.Background(), add(db, 2)) })
	start()
	if err := <-beside; err != nil {
		t.Error(err)
	}
	if err := <-bad; err == nil {
		t.Error("a table that is not there was changed")
	}
	if err := db.Commit(context.Background(), add(db, 3)); err != nil {
		t.Error(err)
	}
	if err := errors.Join(release(), <-late); err != nil {
		t.Error(err)
	}
}

// Close waits for calls that run alone.
func TestCloseWaitsForWhoRunsAlone(t *testing.T) {
	t.Parallel()
	url := pgtest.DB(t)
	w, err := makeWriter(Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), Config{URL: url, Schema: "room", Writer: w})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(t.Context(), withOutbox); err != nil {
		t.Fatal(err)
	}
	have(t, db, 1, 2)
	release := lock(t, db)
	late := queue(w, func() error { return db.Commit(context.Background(), add(db, 1)) })
	beside := queue(w, func() error { return db.Commit(context.Background(), add(db, 2)) })
	go w.loop()
	if err := <-beside; err != nil {
		t.Error(err)
	}
	closed := make(chan struct{})
	go func() { defer close(closed); w.Close() }()
	<-w.over
	select {
	case <-closed:
		t.Error("closed, and a call runs")
	default:
	}
	if err := errors.Join(release(), <-late); err != nil {
		t.Error(err)
	}
	<-closed
}

// TestLockedRowHoldsNobodyUp commits a change of a row that another transaction
// holds beside one that nobody holds.
func TestLockedRowHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	dbs, w, start := shared(t, "room")
	db := dbs[0]
	have(t, db, 1, 2)
	release := lock(t, db)
	late := queue(w, func() error { return db.Commit(context.Background(), add(db, 1)) })
	beside := queue(w, func() error { return db.Commit(context.Background(), add(db, 2)) })
	start()
	if err := <-beside; err != nil {
		t.Error(err)
	}
	if err := errors.Join(release(), <-late); err != nil {
		t.Error(err)
	}
	var n int64
	if err := db.Pool().QueryRow(t.Context(), "select n from rows where id = 1").Scan(&n); err != nil || n != 11 {
		t.Errorf("the row is %d, %v", n, err)
	}
}

func TestCommitOfWhoLeft(t *testing.T) {
	t.Parallel()
	dbs, w, start := shared(t, "room")
	db := dbs[0]
	ctx, cancel := context.WithCancel(t.Context())
	gone := queue(w, func() error { return db.Commit(ctx, row(db, 1, "")) })
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := errors.Join(atOnce(w, start, func() error { return db.Commit(context.Background(), row(db, 3, "")) })...); err != nil {
		t.Error(err)
	}
	left, leave := context.WithCancel(t.Context())
	leave()
	if err := db.Commit(left, row(db, 2, "")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := count(t, db); n != 1 || w.Stats().Writes != 1 {
		t.Errorf("%d rows, %+v", n, w.Stats())
	}
}

func TestClosedWriter(t *testing.T) {
	t.Parallel()
	url := pgtest.DB(t)
	w, err := NewWriter(Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), Config{URL: url, Schema: "room", Writer: w})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(t.Context(), withOutbox); err != nil {
		t.Fatal(err)
	}
	if err := db.Commit(t.Context(), row(db, 1, "")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := db.Commit(t.Context(), row(db, 2, "")); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestServerRestarts commits on a server that was killed in between.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start(t.Context(), "synchronous_commit=on")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	db, err := Open(t.Context(), Config{URL: server.URL(), Schema: "room"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(t.Context(), withOutbox); err != nil {
		t.Fatal(err)
	}
	var committed []int
	for i := range 10 {
		if i == 5 {
			if err := server.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Commit(t.Context(), row(db, i, "")); err == nil {
			committed = append(committed, i)
		} else if !IsUnavailable(err) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	var kept int
	after, err := Open(t.Context(), Config{URL: server.URL(), Schema: "room"})
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	if err := after.Pool().QueryRow(t.Context(), "select count(*) from rows where id = any($1)", committed).Scan(&kept); err != nil || kept != len(committed) || kept < 8 {
		t.Errorf("%d of %d rows, %v", kept, len(committed), err)
	}
}
