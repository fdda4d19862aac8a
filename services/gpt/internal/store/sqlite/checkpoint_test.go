package sqlite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/journal"
	kit "github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store/storetest"
)

// behindJournal opens the ledger in a folder.
func behindJournal(t *testing.T, dir string) *Store {
	t.Helper()
	j, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "journal"), NoSync: true, Segment: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	db, err := kit.Open(t.Context(), kit.Config{Path: filepath.Join(dir, "gpt.db"), Synchronous: kit.Off, Journal: j, Name: "gpt"})
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
	if _, err := db.Migrate(t.Context(), Migrations()); err != nil {
		t.Fatal(err)
	}
	s := New(db)
	s.fresh = &seen{}
	return s
}

// TestCheckpointsAreAskedFor holds that of what attempts have used the last report is in
// the table for who reads, that one who starts behind a process that died finds it too, and
// that nothing is kept of what is stored.
func TestCheckpointsAreAskedFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := behindJournal(t, dir)
	attempts := []*gptv1.Attempt{storetest.Attempt(0, nil), storetest.Attempt(1, nil), storetest.Attempt(2, nil)}
	odd := storetest.Attempt(3, func(a *gptv1.Attempt) { a.Id = `att_"odd' é\` })
	attempts = append(attempts, odd)
	for _, a := range attempts {
		if err := s.Reserve(t.Context(), a, "i1"); err != nil {
			t.Fatal(err)
		}
	}
	report := func(tokens int64, of ...*gptv1.Attempt) {
		t.Helper()
		var reports []store.Progress
		for _, a := range of {
			reports = append(reports, store.Progress{ID: a.GetId(), InputTokens: 2 * tokens, OutputTokens: tokens, CostNanos: 3 * tokens})
		}
		if err := s.Checkpoint(t.Context(), reports); err != nil {
			t.Fatal(err)
		}
	}
	report(5, attempts...)
	report(7, attempts[1], odd)
	crashed := t.TempDir() // as the folder of a process that died now
	if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{attempts[0].GetId(): 5, attempts[1].GetId(): 7, attempts[2].GetId(): 5, odd.GetId(): 7}
	check := func(s *Store) {
		t.Helper()
		rows, err := s.List(t.Context(), store.Filter{Owner: "local", Limit: 10})
		if err != nil || len(rows) != len(want) {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		for _, row := range rows {
			n := want[row.GetId()]
			if u := row.GetUsage(); u.GetInputTokens() != 2*n || u.GetOutputTokens() != n || row.GetCostNanos() != 3*n {
				t.Errorf("%s: %v, cost %d; reported was %d", row.GetId(), u, row.GetCostNanos(), n)
			}
		}
	}
	check(s)
	check(behindJournal(t, crashed))
	if len(s.used) != 0 {
		t.Errorf("kept of what is stored: %v", s.used)
	}
	report(9, attempts[2])
	want[attempts[2].GetId()] = 9
	check(s)
}

// TestCheckpointsByKey holds that each report finds its row by the table's key.
func TestCheckpointsByKey(t *testing.T) {
	t.Parallel()
	s := behindJournal(t, t.TempDir())
	rows, err := s.db.Select(t.Context(), "EXPLAIN QUERY PLAN "+checkpointSQL, []byte("[]"))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if all := strings.Join(plan, "; "); rows.Err() != nil || !strings.Contains(all, "SEARCH attempts") || !strings.Contains(all, "(id=?)") {
		t.Errorf("%s, %v", all, rows.Err())
	}
}
