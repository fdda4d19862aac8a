package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/journal"
)

// The tables of a database that is read have nothing that was written behind what
// another one of the same journal may still lose.
func TestTablesAreBehindTheJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	both := func(dir string) (first, second *DB, j *journal.Journal) {
		j = openJournal(t, dir)
		t.Cleanup(func() { _ = j.Close() })
		first = open(t, Config{Path: filepath.Join(dir, "first.db"), Journal: j, Name: "first"})
		second = open(t, Config{Path: filepath.Join(dir, "second.db"), Journal: j, Name: "second"})
		return first, second, j
	}
	first, second, j := both(dir)
	for i := range 3 {
		for _, db := range []*DB{first, second} {
			if _, err := db.Later(t.Context(), row(i)); err != nil {
				t.Fatal(err)
			}
		}
		if n := count(t, second); n != i+1 {
			t.Fatalf("%d rows of %d", n, i+1)
		}
		if n := j.Stats().Records; n != uint64(2*i+2) {
			t.Errorf("%d records are on the disk of %d", n, 2*i+2)
		}
		before, behind, _ := both(copied(t, dir)) // as a kill leaves them
		if a, b := count(t, before), count(t, behind); a < b {
			t.Errorf("%d rows, and %d of those behind them", a, b)
		}
	}
}

// Who is in no hurry runs what is in the journal, and waits for nothing else.
func TestReadyIsInTheJournal(t *testing.T) {
	t.Parallel()
	db := journaled(t, t.TempDir())
	p := &db.pending
	p.turn <- struct{}{} // nobody else runs them
	first := later(t, db, row(1))
	second, err := db.Later(t.Context(), row(2))
	if err != nil {
		t.Fatal(err)
	}
	err = db.apply(p, p.ready())
	<-p.turn
	if err != nil || !first.Stored() || second.Stored() {
		t.Errorf("%v; stored %t and %t", err, first.Stored(), second.Stored())
	}
	if n := db.cfg.Journal.Stats().Records; n != 1 {
		t.Errorf("%d records", n)
	}
	if n := count(t, db); n != 2 {
		t.Errorf("%d rows", n)
	}
}
