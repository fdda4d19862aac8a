package sqlite

import (
	"bytes"
	"context"
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

// brought is a store and, in the place of its room, what running answers have brought.
type brought struct {
	*Store

	mu     sync.Mutex
	pieces []store.Piece // that lie in no table yet
}

func (b *brought) Journal(ctx context.Context, pieces []store.Piece) error {
	b.mu.Lock()
	for _, p := range pieces {
		p.Frames = bytes.Clone(p.Frames)
		b.pieces = append(b.pieces, p)
	}
	b.mu.Unlock()
	return b.Store.Journal(ctx, pieces)
}

// running implements store.Unstored.
func (b *brought) running(take func(store.Piece)) (done func(stored bool)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.pieces {
		take(p)
	}
	n := len(b.pieces)
	return func(stored bool) {
		if stored {
			b.mu.Lock()
			b.pieces = b.pieces[n:]
			b.mu.Unlock()
		}
	}
}

func journaled(t testing.TB) (s *brought, told func() string) {
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
	s = new(brought)
	s.Store = New(db, s.running)
	s.fresh = &seen{}
	return s, func() (text string) {
		t.Helper()
		if err := db.QueryRow(t.Context(), "select coalesce(group_concat(cast(record as text), ''), '') from (select record from outbox order by seq)").Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
}
