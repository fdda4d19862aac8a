package sqlite

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/journal"
	kit "github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store/storetest"
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
	storetest.Run(t, func(t *testing.T) storetest.Rig {
		return storetest.Rig{Store: behindJournal(t, t.TempDir())}
	})
}

// TestSettleBeforeTheReservationFails settles rows that neither the journal nor the
// table takes: nobody is told that they are settled, and they can be added whole.
func TestSettleBeforeTheReservationFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "gpt.db")
	j, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "journal")})
	if err != nil {
		t.Fatal(err)
	}
	db, err := kit.Open(t.Context(), kit.Config{Path: path, Journal: j, Name: "gpt", BusyTimeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(t.Context(), Migrations()); err != nil {
		t.Fatal(err)
	}
	other, err := kit.Open(t.Context(), kit.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	s := New(db)
	s.fresh = &seen{}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for _, early := range []bool{true, false} {
		attempt := &gptv1.Attempt{Id: ids.New("att"), Owner: "ada", Outcome: gptv1.Attempt_OUTCOME_COMPLETED, Usage: &conversationv1.Usage{InputTokens: 5}}
		err := other.Write(t.Context(), func(ctx context.Context, tx *kit.Tx) error {
			if _, err := tx.Exec(ctx, "DELETE FROM attempts"); err != nil { // it holds the lock
				return err
			}
			reserved, err := s.ReserveLater(t.Context(), attempt, "self")
			if err != nil {
				return err
			}
			wait := reserved.Wait
			if early {
				wait = reserved.Written
			}
			if wait(t.Context()) == nil || reserved.Failure() == nil {
				t.Error("a row that is nowhere counts as reserved")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if mine, err := s.Settle(t.Context(), attempt); mine || err != nil {
			t.Error(mine, err)
		}
		if mine, err := s.SettleWhole(t.Context(), attempt, "self"); !mine || err != nil {
			t.Error(mine, err)
		}
		rows, err := s.List(t.Context(), store.Filter{Owner: "ada", Limit: 10})
		if err != nil || len(rows) != 1 || rows[0].GetId() != attempt.GetId() || rows[0].GetUsage().GetInputTokens() != 5 {
			t.Error(rows, err)
		}
	}
}
