package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/journal"
	kit "github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"github.com/gptmesh/gptmesh/services/request/internal/store/storetest"
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

// waiting accepts requests later, and waits for their rows.
type waiting struct{ *Store }

func (s waiting) Accept(ctx context.Context, r *requestv1.Request, instance string, key *store.Key) error {
	if key != nil {
		return s.Store.Accept(ctx, r, instance, key)
	}
	w, err := s.AcceptLater(ctx, r, instance)
	if err == nil {
		err = errors.Join(w.Written(ctx), w.Wait(ctx))
	}
	return err
}

// TestAcceptLater is the suite with rows that are waited for by the caller, where they
// wait for their table and where each is committed at once.
func TestAcceptLater(t *testing.T) {
	t.Parallel()
	for _, known := range []claims{nil, taken{}} {
		storetest.Run(t, func(t *testing.T) store.Store {
			s, _ := journaled(t)
			if known != nil {
				s.fresh = known
			}
			return waiting{s}
		})
	}
}

// taken takes no id for new.
type taken struct{}

func (taken) Claim(string) bool { return false }

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
	db, err := kit.Open(t.Context(), kit.Config{Path: filepath.Join(dir, "request.db"), Synchronous: kit.Off, Journal: j, Name: "request"})
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
