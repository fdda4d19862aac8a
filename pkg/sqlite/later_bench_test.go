package sqlite

import (
	"context"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/journal"
)

// BenchmarkLaterWide writes rows of 24 columns, 512 in a commit: what the ledger's
// row of a turn costs behind the journal, without the disk's flushes.
func BenchmarkLaterWide(b *testing.B) {
	dir := b.TempDir()
	j, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "journal"), NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	db := open(b, Config{Path: filepath.Join(dir, "later.db"), Journal: j, Name: "later", Synchronous: Off})
	columns, marks := "id", "?"
	for i := range 23 {
		columns += ", c" + strconv.Itoa(i)
		marks += ", ?"
	}
	if err := db.Write(b.Context(), func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, "create table wide ("+columns+", primary key (id)) without rowid")
		return err
	}); err != nil {
		b.Fatal(err)
	}
	query := "insert into wide (" + columns + ") values (" + marks + ")"
	next := 0
	b.ReportAllocs()
	for b.Loop() {
		next++
		id := strconv.Itoa(1_000_000_000 + next)
		v := NewValues(400)
		v.Text(id)
		for i := range 23 {
			if i%2 == 0 {
				v.Int(int64(next * i))
			} else {
				v.Text(id)
			}
		}
		if _, err := db.Later(context.Background(), Stmt{Query: query, Values: v}); err != nil {
			b.Fatal(err)
		}
		if next%512 == 0 {
			if err := db.settle(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	}
}
