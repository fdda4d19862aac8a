package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// note is a statement that may be held, and that shows how often it was run: of a
// row that must be there.
func note(row int, text string) Stmt {
	return Stmt{
		Query: "insert into notes (row, text) select id, ? from rows where id = ?", Args: []any{text, row},
		Key: fmt.Sprint(row), Join: func(args [][]any) [][]any {
			var all strings.Builder
			for _, one := range args {
				all.WriteString(one[0].(string))
			}
			return [][]any{{all.String(), args[0][1]}}
		},
	}
}

// notes are those of each row together, as readers find them who wait for nothing
// that is pending.
func notes(t *testing.T, db *DB) string {
	t.Helper()
	var texts string
	if err := db.Read().QueryRow(`select coalesce(group_concat(text, '|'), '') from
		(select group_concat(text, '') text from (select row, text from notes order by rowid) group by row order by row)`).Scan(&texts); err != nil {
		t.Fatal(err)
	}
	return texts
}

// holdingDB opens a database that holds what it may until it is asked.
func holdingDB(t *testing.T, dir string) *DB {
	t.Helper()
	db := journaled(t, dir)
	db.held.turn <- struct{}{}
	db.held.holdFor = time.Hour
	<-db.held.turn
	return db
}

// killed opens what a process leaves that is killed now.
func killed(t *testing.T, dir string) *DB {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || strings.HasSuffix(path, "-shm") {
			return err
		}
		place := filepath.Join(to, strings.TrimPrefix(path, dir))
		if entry.IsDir() {
			return os.MkdirAll(place, 0o700)
		}
		data, err := os.ReadFile(path)
		return errors.Join(err, os.WriteFile(place, data, 0o600))
	})
	if err != nil {
		t.Fatal(err)
	}
	j := openJournal(t, to)
	t.Cleanup(func() { _ = j.Close() })
	return open(t, Config{Path: filepath.Join(to, "rows.db"), Journal: j, Name: "rows"})
}

func TestHeldUntilAsked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := holdingDB(t, dir)
	check := func(when, want string) {
		t.Helper()
		other := killed(t, dir)
		if texts := notes(t, other); texts != want || other.Lost() > 0 {
			t.Errorf("%s: a process that begins after a kill has %q and lost %d; want %q", when, texts, other.Lost(), want)
		}
	}
	for id := range 2 {
		later(t, db, row(id))
		later(t, db, note(id, "-"))
	}
	check("queued", "-|-")
	if err := db.settle(t.Context()); err != nil { // which gives the text its number
		t.Fatal(err)
	}
	check("run", "-|-")
	for i, letter := range []string{"a", "b", "c"} {
		for id := range 2 {
			later(t, db, note(id, letter))
		}
		if !db.holds(&db.held) {
			t.Error("not held")
		}
		// Rows behind them are run.
		later(t, db, row(10+i))
		if err := db.settleTo(t.Context(), &db.pending, db.pending.newest.Load()); err != nil {
			t.Fatal(err)
		}
	}
	later(t, db, note(1, "d"))
	if texts := notes(t, db); texts != "-|-" {
		t.Errorf("%q was run before it was asked for", texts)
	}
	check("held", "-abc|-abcd")
	var n int
	if err := db.QueryRow(t.Context(), "select count(*) from notes").Scan(&n); err != nil || n != 4 {
		t.Errorf("a reader finds %d notes, %v; want two of each row", n, err)
	}
	if texts := notes(t, db); texts != "-abc|-abcd" {
		t.Errorf("%q", texts)
	}
	check("run again", "-abc|-abcd")
	later(t, db, note(0, "e"))
	if err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, "update notes set text = text || '.'")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if texts := notes(t, db); texts != "-.abc.e.|-.abcd." {
		t.Errorf("a write that comes behind finds %q", texts)
	}
	check("at the end", "-.abc.e.|-.abcd.")
}

// Of statements that cannot be joined the last one of a Key is run.
func TestTheLastOfAKeyCounts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := holdingDB(t, dir)
	last := func(row int, text string) Stmt {
		s := note(row, text)
		s.Join = nil
		return s
	}
	for id := range 2 {
		later(t, db, row(id))
		later(t, db, last(id, "-"))
	}
	if err := db.settle(t.Context()); err != nil { // which gives the text its number
		t.Fatal(err)
	}
	for _, letter := range []string{"a", "b", "c"} {
		later(t, db, last(0, letter), last(1, letter+letter))
		if !db.holds(&db.held) {
			t.Error("not held")
		}
	}
	later(t, db, last(1, "d"))
	for range 2 { // a commit that fails leaves what is held as it was
		if got := db.held.hold.gathered().joined(); len(got) != 2 || got[0].Args[0] != "c" || got[1].Args[0] != "cc" {
			t.Errorf("held: %v", got)
		}
	}
	if err := db.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if texts := notes(t, db); texts != "-c|-d" {
		t.Errorf("%q", texts)
	}
}

// TestHeldAtTheEnd closes a database that holds something.
func TestHeldAtTheEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir)
	db := open(t, Config{Path: filepath.Join(dir, "rows.db"), Journal: j, Name: "rows"})
	if err := db.Write(t.Context(), insert(1, "one")); err != nil {
		t.Fatal(err)
	}
	later(t, db, note(1, "a"))
	db.holds(&db.held)
	if err := errors.Join(db.Close(), j.Close()); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "journal", "*")); len(left) > 0 {
		t.Errorf("the journal keeps %v", left)
	}
	if texts := notes(t, killed(t, dir)); texts != "a" {
		t.Errorf("%q", texts)
	}
}

// TestHeldBesideReaders writes, holds and reads at once.
func TestHeldBesideReaders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir)
	t.Cleanup(func() { _ = j.Close() })
	db := open(t, Config{Path: filepath.Join(dir, "rows.db"), Journal: j, Name: "rows"})
	const rows, each = 4, 60
	for id := range rows {
		if err := db.Write(t.Context(), insert(id, fmt.Sprint(id))); err != nil {
			t.Fatal(err)
		}
	}
	var acknowledged atomic.Int64
	var writers, others sync.WaitGroup
	over := make(chan struct{})
	for id := range rows {
		writers.Go(func() {
			for range each {
				l, err := db.Later(context.Background(), note(id, "x"))
				if err == nil {
					err = l.Wait(context.Background())
				}
				if err != nil {
					t.Error(err)
					return
				}
				acknowledged.Add(1)
			}
		})
	}
	others.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				db.holds(&db.held)
			}
		}
	})
	others.Go(func() {
		for {
			least := acknowledged.Load()
			var n int64
			if err := db.QueryRow(context.Background(), "select coalesce(sum(length(text)), 0) from notes").Scan(&n); err != nil || n < least {
				t.Errorf("%d of %d acknowledged, %v", n, least, err)
			}
			select {
			case <-over:
				return
			default:
			}
		}
	})
	writers.Wait()
	close(over)
	others.Wait()
	var n int
	if err := db.QueryRow(t.Context(), "select sum(length(text)) from notes").Scan(&n); err != nil || n != rows*each {
		t.Errorf("%d of %d, %v", n, rows*each, err)
	}
}

// What is made when it is run takes the place of what was written, which a crash has.
func TestMadeWhenItIsRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := holdingDB(t, dir)
	var text string
	var asked, stored int
	now := func() ([]Stmt, func(bool)) {
		asked++
		list := []Stmt{note(0, text), note(0, "!")}
		for i := range list {
			list[i].Key, list[i].Join = "", nil
		}
		return list, func(ok bool) {
			if ok {
				stored++
			}
		}
	}
	write := func(letter string) *Later {
		t.Helper()
		text += letter
		stmt := note(0, letter)
		stmt.Key, stmt.Join, stmt.Now = "made", nil, now
		return later(t, db, stmt)
	}
	later(t, db, row(0))
	write("-")
	if err := db.settle(t.Context()); err != nil { // which gives the text its number
		t.Fatal(err)
	}
	text = ""
	for _, letter := range []string{"a", "b", "c"} {
		if l := write(letter); l.stmts[0].Args != nil || l.size > 64 {
			t.Error("what was written is kept")
		}
		if !db.holds(&db.held) {
			t.Error("not held")
		}
	}
	if texts := notes(t, killed(t, dir)); texts != "-!abc" {
		t.Errorf("after a kill: %q", texts)
	}
	if asked != 1 {
		t.Errorf("asked %d times before anybody read", asked)
	}
	if err := db.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if texts := notes(t, db); texts != "-!abc!" || asked != 2 || stored != 2 {
		t.Errorf("%q, asked %d times and told %d", texts, asked, stored)
	}
	if err := db.settle(t.Context()); err != nil || asked != 2 {
		t.Errorf("asked %d times for what is stored, %v", asked, err)
	}
}
