package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store"
	"google.golang.org/protobuf/testing/protocmp"
)

// What was noted of a running attempt is what its orphan is settled with; a
// settled row is not touched.
func checkpoints(t *testing.T, rig Rig) {
	running, over := Attempt(0, nil), Attempt(1, nil)
	must(t, rig.Store.Reserve(t.Context(), running, "dead"))
	must(t, rig.Store.Reserve(t.Context(), over, "dead"))
	if ok, err := rig.Store.Settle(t.Context(), settled(over)); err != nil || !ok {
		t.Fatal(ok, err)
	}
	for _, tokens := range []int64{3, 9} {
		must(t, rig.Store.Checkpoint(t.Context(), []store.Progress{
			{ID: running.GetId(), InputTokens: 14, OutputTokens: tokens, CostNanos: 10 * tokens},
			{ID: over.GetId(), InputTokens: 1, OutputTokens: 1, CostNanos: 1}, {ID: "att_nobody"},
		}))
	}
	if n, err := rig.Store.SettleOrphans(t.Context(), "i2", 0, start.Add(time.Minute)); err != nil || n != 1 {
		t.Fatalf("%d orphans, %v", n, err)
	}
	rows := list(t, rig, store.Filter{})
	same(t, rows[:1], settled(over))
	got := rows[1]
	if got.GetUsage().GetInputTokens() != 14 || got.GetUsage().GetOutputTokens() != 9 || got.GetCostNanos() != 90 ||
		got.GetUsage().GetSource() != conversationv1.UsageSource_USAGE_SOURCE_PARTIAL || got.GetOutcome() != gptv1.Attempt_OUTCOME_UNKNOWN {
		t.Errorf("orphan: %v", got)
	}
}

func usage(t *testing.T, rig Rig) {
	const day = 24 * 60 * 60 * 1000
	add := func(n int, user, model string, tokens int64, outcome gptv1.Attempt_Outcome, change func(*gptv1.Attempt)) {
		a := Attempt(n, func(a *gptv1.Attempt) {
			a.UserId, a.Model = user, model
			if change != nil {
				change(a)
			}
		})
		must(t, rig.Store.Reserve(t.Context(), a, "i1"))
		end := settled(a)
		end.Outcome, end.Currency, end.CostNanos = outcome, "USD", 2*tokens
		end.Usage = &conversationv1.Usage{InputTokens: tokens, OutputTokens: 1, Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER}
		if ok, err := rig.Store.Settle(t.Context(), end); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	add(0, "ann", "m1", 10, gptv1.Attempt_OUTCOME_COMPLETED, nil)
	add(1, "ann", "m1", 20, gptv1.Attempt_OUTCOME_FAILED, nil)
	add(2, "bob", "m1", 30, gptv1.Attempt_OUTCOME_CANCELLED, nil)
	add(day, "ann", "m2", 40, gptv1.Attempt_OUTCOME_COMPLETED, nil)
	add(3, "eve", "m1", 1000, gptv1.Attempt_OUTCOME_COMPLETED, func(a *gptv1.Attempt) { a.Owner = "key:other" })
	must(t, rig.Store.Reserve(t.Context(), Attempt(4, nil), "i1")) // under way: not counted

	type group struct {
		Keys                      []string
		Attempts, Completed, Cost int64
	}
	ask := func(q store.Query) (out []group) {
		t.Helper()
		q.Owner = "local"
		if q.Limit == 0 {
			q.Limit = 100
		}
		groups, err := rig.Store.Usage(t.Context(), q)
		must(t, err)
		for _, g := range groups {
			out = append(out, group{g.GetKeys(), g.GetAttempts(), g.GetCompleted(), g.GetCostNanos()})
		}
		return out
	}
	check := func(name string, got []group, want ...group) {
		t.Helper()
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
	const (
		byUser  = gptv1.UsageDimension_USAGE_DIMENSION_USER
		byDay   = gptv1.UsageDimension_USAGE_DIMENSION_DAY
		byModel = gptv1.UsageDimension_USAGE_DIMENSION_MODEL
		byKey   = gptv1.UsageDimension_USAGE_DIMENSION_KEY
	)
	check("all", ask(store.Query{}), group{[]string{}, 4, 2, 200})
	check("by user", ask(store.Query{GroupBy: []gptv1.UsageDimension{byUser}}),
		group{[]string{"ann"}, 3, 2, 140}, group{[]string{"bob"}, 1, 0, 60})
	check("by day and model", ask(store.Query{GroupBy: []gptv1.UsageDimension{byDay, byModel}}),
		group{[]string{"2026-11-20", "m1"}, 3, 1, 120}, group{[]string{"2026-11-21", "m2"}, 1, 1, 80})
	check("second page", ask(store.Query{GroupBy: []gptv1.UsageDimension{byUser}, Limit: 1, Offset: 1}),
		group{[]string{"bob"}, 1, 0, 60})
	check("one user", ask(store.Query{GroupBy: []gptv1.UsageDimension{byKey}, UserID: "bob"}), group{[]string{"local"}, 1, 0, 60})
	check("bounds", ask(store.Query{After: start.Add(time.Millisecond), Before: start.Add(day * time.Millisecond)}),
		group{[]string{}, 2, 0, 100})
	check("nobody", ask(store.Query{GroupBy: []gptv1.UsageDimension{byUser}, UserID: "zoe"}))
}
