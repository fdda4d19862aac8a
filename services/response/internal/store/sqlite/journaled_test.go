package sqlite

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/journal"
	kit "github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"github.com/gptmesh/gptmesh/services/response/internal/store/storetest"
)

// seen claims every id once: of an empty table it knows all.
type seen struct{ ids sync.Map }

func (s *seen) Claim(id string) bool {
	_, taken := s.ids.LoadOrStore(id, true)
	return !taken
}

// TestStoreBehindJournal is the suite with a journal before the table.
func TestStoreBehindJournal(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store { s, _ := journaled(t); return s })
}

// TestToldBehindJournal: what is told survives that two writes become one.
func TestToldBehindJournal(t *testing.T) {
	t.Parallel()
	s, told := journaled(t)
	storetest.Told(t, s, told)
}

func journaled(t *testing.T) (s *Store, told func() string) {
	t.Helper()
	dir := t.TempDir()
	j, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "journal"), NoSync: true, Segment: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	db, err := kit.Open(t.Context(), kit.Config{Path: filepath.Join(dir, "response.db"), Synchronous: kit.Off, Journal: j, Name: "response"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if db.Lost() > 0 {
			t.Error("rows were lost")
		}
		db.Close()
		j.Close()
	})
	if _, err := db.Migrate(t.Context(), Migrations); err != nil {
		t.Fatal(err)
	}
	s = New(db)
	s.fresh = &seen{}
	return s, func() (text string) {
		t.Helper()
		if err := db.QueryRow(t.Context(), "select coalesce(group_concat(cast(record as text), ''), '') from (select record from outbox order by seq)").Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
}
