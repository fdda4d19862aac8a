package sqlite

import (
	"os"
	"path/filepath"
	"testing"
)

// TestOmitted leaves out one statement of a write: the tables never get it, but a crash
// has all run that the journal has.
func TestOmitted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := journaled(t, dir)
	const noteSQL = "insert into notes (row, text) values (?, ?)"
	write := later(t, db, row(1), Stmt{Query: noteSQL, Args: []any{1, "of no use soon"}})
	if !write.Omit(noteSQL) {
		t.Fatal("it waits, and could not be changed")
	}
	crashed := filepath.Join(t.TempDir(), "crashed")
	if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	notes := func(db *DB) (n int) {
		t.Helper()
		if err := db.QueryRow(t.Context(), "select count(*) from notes").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := notes(db); n != 0 || count(t, db) != 1 || db.Lost() != 0 {
		t.Errorf("%d notes, %d rows, %d lost", n, count(t, db), db.Lost())
	}
	if write.Omit(noteSQL) || !write.Stored() {
		t.Error("it was run, and says that it was not")
	}
	if again := journaled(t, crashed); notes(again) != 1 || count(t, again) != 1 {
		t.Error("what the journal has was not run after a crash")
	}
}
