package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/durable"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/journal"
)

func openJournal(t testing.TB, dir string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "journal"), Segment: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func row(id int) Stmt {
	return Stmt{Query: "insert into rows (id, name) values (?, ?)", Args: []any{id, strconv.Itoa(id)}}
}

func later(t testing.TB, db *DB, list ...Stmt) *Later {
	t.Helper()
	l, err := db.Later(t.Context(), list...)
	if err == nil {
		err = l.Wait(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// journaled opens a database with a journal beside it. The journal is closed
// after it.
func journaled(t testing.TB, dir string) *DB {
	t.Helper()
	j := openJournal(t, dir)
	t.Cleanup(func() { _ = j.Close() })
	return open(t, Config{Path: filepath.Join(dir, "rows.db"), Journal: j, Name: "rows"})
}

func TestLaterIsSeen(t *testing.T) {
	t.Parallel()
	db := journaled(t, t.TempDir())
	ctx := t.Context()
	for i := range 10 {
		id := 10 * i
		later(t, db, row(id))
		if n := count(t, db); n != 4*i+1 {
			t.Fatal("a reader misses what was written later:", n)
		}
		later(t, db, row(id+1), row(id+2))
		if err := db.Write(ctx, func(ctx context.Context, tx *Tx) error {
			var name string
			return tx.QueryRow(ctx, "select name from rows where id = ?", id+2).Scan(&name)
		}); err != nil {
			t.Fatal(err)
		}
		later(t, db, row(id+3))
		if changed, err := db.Exec(ctx, "update rows set body = 'x' where id = ?", id+3); err != nil || changed != 1 {
			t.Fatal(changed, err)
		}
	}
	rows, err := db.Select(ctx, "select id from rows")
	if err != nil {
		t.Fatal(err)
	}
	rows.Close()
}

func TestInstead(t *testing.T) {
	t.Parallel()
	db := journaled(t, t.TempDir())
	ctx := t.Context()
	first := later(t, db, row(1))
	whole := Stmt{Query: "insert into rows (id, name, body) values (1, 'one', 'x')"}
	second, ok, err := db.Instead(ctx, first, whole)
	if err != nil || !ok {
		t.Fatal("a write that was not run cannot be replaced", err)
	}
	var name string
	if err := db.QueryRow(ctx, "select name from rows where id = 1").Scan(&name); err != nil || name != "one" {
		t.Fatal(name, err)
	}
	for _, l := range []*Later{first, second} {
		if _, ok, _ := db.Instead(ctx, l, whole); ok {
			t.Error("a write that is over was replaced")
		}
	}
	if db.Lost() > 0 {
		t.Error("both were run")
	}
}

// TestCutOff opens copies of the files as a loss of power leaves them.
func TestCutOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := journaled(t, dir)
	ctx := t.Context()
	later(t, db, row(1))
	later(t, db, row(2))
	count(t, db) // 1 and 2 are in the tables
	if _, err := db.Exec(ctx, "delete from rows where id = 1"); err != nil {
		t.Fatal(err)
	}
	begun := later(t, db, row(3))
	third, ok, err := db.Instead(ctx, begun, Stmt{Query: "insert into rows (id, name, body) values (3, '3', 'whole')"})
	if err != nil || !ok || third.Wait(ctx) != nil {
		t.Fatal(ok, err)
	}
	later(t, db, Stmt{Query: "update rows set body = ? where id = ?", Args: []any{[]byte("two"), int64(2)}})

	again := journaled(t, copied(t, dir))
	rows, err := again.Query(ctx, "select id, coalesce(body, '') from rows order by id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var id int
		var body string
		if err := rows.Scan(&id, &body); err != nil {
			t.Fatal(err)
		}
		got = append(got, strconv.Itoa(id)+body)
	}
	if want := []string{"2two", "3whole"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if again.Lost() > 0 {
		t.Error("a record was given twice")
	}
}

// copied is a copy of a folder and the folders in it.
func copied(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestJournalAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir)
	db := open(t, Config{Path: filepath.Join(dir, "rows.db"), Journal: j, Name: "rows"})
	if _, err := db.Exec(t.Context(), "pragma max_page_count = 1"); err != nil {
		t.Fatal(err)
	}
	begun := later(t, db, Stmt{Query: "insert into rows (id, name) values (9, 'begun')"})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	whole, ok, err := db.Instead(t.Context(), begun, Stmt{Query: "insert into rows (id, name, body) values (9, 'whole', zeroblob(1000000))"})
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	l, err := db.Later(t.Context(), Stmt{Query: "insert into rows (id, name, body) values (2, '2', zeroblob(1000000))"})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Wait(t.Context()); !errors.Is(err, journal.ErrClosed) {
		t.Error("a write that neither took was acknowledged:", err)
	}
	if err := whole.Wait(t.Context()); !errors.Is(err, journal.ErrClosed) {
		t.Error("a write that neither took was acknowledged:", err)
	}
	if _, err := db.exec(t.Context(), Stmt{Query: "pragma max_page_count = 100000"}); err != nil {
		t.Fatal(err)
	}
	var name string
	if err := db.QueryRow(t.Context(), "select name from rows").Scan(&name); err != nil || name != "begun" {
		t.Errorf("an acknowledged write in whose place another was refused: %q, %v", name, err)
	}
	later(t, db, row(1)) // committed in place of the journal
	if n := count(t, db); n != 2 {
		t.Error("a write that was refused came after all:", n)
	}
	for _, refused := range []*Later{l, whole} {
		if err := refused.Wait(t.Context()); !errors.Is(err, journal.ErrClosed) {
			t.Error("a write that was refused is acknowledged to who asks again:", err)
		}
	}
}

// TestReadersOfAFullDatabase reads where rows of the journal have no room in the
// tables: each way of reading says so, and all come back once there is room.
func TestReadersOfAFullDatabase(t *testing.T) {
	t.Parallel()
	db := journaled(t, t.TempDir())
	if _, err := db.Exec(t.Context(), "pragma max_page_count = 1"); err != nil {
		t.Fatal(err)
	}
	later(t, db, Stmt{Query: "insert into rows (id, name, body) values (1, '1', zeroblob(1000000))"})
	const query = "select name from rows where id = 1"
	var name string
	if err := db.QueryRow(t.Context(), query).Scan(&name); !IsUnavailable(err) {
		t.Errorf("QueryRow: %v", err)
	}
	if _, err := db.Query(t.Context(), query); !IsUnavailable(err) {
		t.Errorf("Query: %v", err)
	}
	if _, err := db.Select(t.Context(), query); !IsUnavailable(err) {
		t.Errorf("Select: %v", err)
	}
	if _, err := db.exec(t.Context(), Stmt{Query: "pragma max_page_count = 100000"}); err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRow(t.Context(), query).Scan(&name); err != nil || name != "1" {
		t.Errorf("with room: %q, %v", name, err)
	}
}

func TestGroupWaitsOnce(t *testing.T) {
	t.Parallel()
	db := journaled(t, t.TempDir())
	var g durable.Group
	ctx := durable.With(t.Context(), &g)
	for i := range 20 {
		l, err := db.Later(ctx, row(i))
		if err == nil {
			err = l.Join(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := g.Wait(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s := db.cfg.Journal.Stats(); s.Records != 20 {
		t.Error(s)
	}
}

func TestFresh(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	ctx := t.Context()
	if _, err := db.Exec(ctx, "create table things (id text primary key)"); err != nil {
		t.Fatal(err)
	}
	soon := ids.At("t", time.Now().Add(1500*time.Millisecond))
	if _, err := db.Exec(ctx, "insert into things (id) values (?)", soon); err != nil {
		t.Fatal(err)
	}
	f := NewFresh(db, "things", "t")
	start := time.Now()
	at := start
	f.now = func() time.Time { return at }
	id, later := ids.At("t", start.Add(5*time.Millisecond)), ids.At("t", start.Add(10*time.Second))
	other := ids.At("t", start.Add(spans<<spanBits*time.Millisecond+6*time.Second))
	for _, c := range []struct {
		after time.Duration
		id    string
		fresh bool
	}{
		{0, ids.At("t", start.Add(-time.Second)), false}, // from before
		{0, "mine", false},
		{0, ids.New("x"), false},
		{0, later, false},                             // its time is still to come
		{5 * time.Millisecond, id, true},              //
		{6 * time.Millisecond, id, false},             // taken
		{2 * time.Second, soon, false},                // in the table at the start
		{10 * time.Second, later, false},              // taken when its time was to come
		{9 * time.Second, id, false},                  // still remembered
		{20 * time.Second, id, false},                 // too old to tell
		{40 * time.Second, ids.At("t", start), false}, //
		{40 * time.Second, ids.At("t", start.Add(39*time.Second)), true},
		{8 * time.Second, ids.At("t", start.Add(8*time.Second)), true},         // the clock was set back
		{spans<<spanBits*time.Millisecond + 6*time.Second, other, true},        // and on, by one round
		{spans<<spanBits*time.Millisecond + 6*time.Second, other, false},       //
		{6 * time.Second, ids.At("t", start.Add(6*time.Second)), false},        // nobody knows any more
		{6 * time.Second, ids.At("t", start.Add(6500*time.Millisecond)), true}, //
	} {
		at = start.Add(c.after)
		if got := f.Claim(c.id); got != c.fresh {
			t.Errorf("after %v: %s is fresh: %v", c.after, c.id, got)
		}
	}
}

func BenchmarkLater(b *testing.B) {
	db := journaled(b, b.TempDir())
	var mu sync.Mutex
	next := 0
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mu.Lock()
			next++
			id := next
			mu.Unlock()
			l, err := db.Later(context.Background(), Stmt{Query: "insert into rows (id, name, body) values (?, ?, ?)", Args: []any{id, strconv.Itoa(id), body}})
			if err == nil {
				err = l.Wait(context.Background())
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// TestReplacedBeyondTheCut runs so many writes that they are run in two commits, the
// first of them replaced by the last: the first commit lets go of its record, and must
// not before the other one's is on the disk.
func TestReplacedBeyondTheCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir)
	t.Cleanup(func() { _ = j.Close() })
	db := open(t, Config{Path: filepath.Join(dir, "rows.db"), Journal: j, Name: "rows"})
	db.pending.turn <- struct{}{} // nobody else runs them
	write := func(id int) *Later {
		l, err := db.Later(t.Context(), row(id))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	first := write(0)
	last := first
	for id := range maxApply {
		last = write(id + 1)
	}
	if err := last.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := db.Instead(t.Context(), first, row(0)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	flushes := j.Stats().Flushes
	err := db.apply(&db.pending, 0)
	<-db.pending.turn
	if err != nil {
		t.Fatal(err)
	}
	if j.Stats().Flushes == flushes {
		t.Error("the record of a replaced write was let go of, and that of the other is not on the disk")
	}
	if first.Stored() {
		t.Error("the tables do not have what stands in the place of a write, and it says that they do")
	}
	if n := count(t, db); n != maxApply+1 {
		t.Errorf("%d rows", n)
	}
	if !first.Stored() {
		t.Error("the tables have what stands in the place of a write, and it says that they do not")
	}
}
