package gpt_test

import (
	"context"
	"testing"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/gpt"
)

// lock keeps everybody from the ledger until release is called.
func lock(t *testing.T, db *postgres.DB) (release func()) {
	t.Helper()
	tx, err := db.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "LOCK TABLE attempts IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// A row whose settling, or whose reservation, was not committed in time is
// closed by the process that has made it, as soon as the store is back.
func TestUnsettledRowsAreTriedAgain(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]bool{"reservation": true, "settling": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var db *postgres.DB
			var r *rig
			var release func()
			var err error
			for limit := 200 * time.Millisecond; release == nil; limit *= 2 { // until the row is there in time
				db = onPostgres(t)
				r = start(t, setup{pg: db, config: func(c *gpt.Config) {
					c.Ledger.WriteTimeout, c.Ledger.ReserveFirst = limit, true
				}})
				if first {
					release = lock(t, db)
				}
				err = r.Generate(t.Context(), ask("echo?tokens=3"), func(*gptv1.GenerateResponse) error {
					if release == nil {
						release = lock(t, db)
					}
					return nil
				})
				if release == nil && limit > 10*time.Second {
					t.Fatal(err)
				}
			}
			if first == (err == nil) {
				t.Errorf("the call ended with %v", err)
			}
			release()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			ticker := time.NewTicker(10 * time.Millisecond)
			defer ticker.Stop()
			for {
				if rows := r.attempts(t); len(rows) == 1 && rows[0].GetState() == gptv1.Attempt_STATE_SETTLED {
					break
				}
				select {
				case <-ticker.C:
				case <-ctx.Done():
					t.Fatalf("not settled: %v", r.attempts(t))
				}
			}
			if row := r.only(t); row.GetOutcome() != gptv1.Attempt_OUTCOME_FAILED {
				t.Error(row)
			}
		})
	}
}
