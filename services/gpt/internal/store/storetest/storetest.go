// Package storetest is the specification of store.Store as tests.
package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Rig is a store under test.
type Rig struct {
	// Store is a fresh, migrated and empty ledger.
	Store store.Store
	// Shared says that several processes may use it, so beats count.
	Shared bool
}

// Run runs the whole suite; open gives a new rig to each test.
func Run(t *testing.T, open func(*testing.T) Rig) {
	tests := map[string]func(*testing.T, Rig){
		"ReserveThenSettle":        reserveThenSettle,
		"SettlesOnce":              settlesOnce,
		"SettleOfNothing":          settleOfNothing,
		"SettlesWhole":             settlesWhole,
		"ReserveTwiceFails":        reserveTwice,
		"ListFiltersAndPages":      listFiltersAndPages,
		"OwnersAreApart":           ownersAreApart,
		"OrphansAreSettledPartial": orphans,
		"LivingInstancesAreSpared": living,
		"CheckpointsAreKept":       checkpoints,
		"OldRowsExpire":            expire,
		"UsageIsSummed":            usage,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

var start = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// Attempt makes a reserved attempt, n milliseconds after a fixed time.
func Attempt(n int, change func(*gptv1.Attempt)) *gptv1.Attempt {
	at := start.Add(time.Duration(n) * time.Millisecond)
	a := &gptv1.Attempt{
		Id: ids.At("att", at), RequestId: "req_1", ResponseId: "resp_1", SessionId: "ses_1", Owner: "local", UserId: "u",
		Provider: "openai", Model: "gpt-x", Number: 1, State: gptv1.Attempt_STATE_RESERVED,
		Usage:     &conversationv1.Usage{InputTokens: 12, Source: conversationv1.UsageSource_USAGE_SOURCE_ESTIMATED},
		CostNanos: 5, Currency: "USD", PriceVersion: "2026-11-20", ReserveTime: timestamppb.New(at),
		Target: "openai/gpt-x#2", ProviderKey: "2", Route: "smart", Cause: gptv1.Attempt_CAUSE_FALLBACK, Decision: "order: 1 of 2",
	}
	if change != nil {
		change(a)
	}
	return a
}

func settled(a *gptv1.Attempt) *gptv1.Attempt {
	out := proto.Clone(a).(*gptv1.Attempt)
	out.State, out.Outcome = gptv1.Attempt_STATE_SETTLED, gptv1.Attempt_OUTCOME_FAILED
	out.Usage = &conversationv1.Usage{
		InputTokens: 1 << 40, OutputTokens: 2, CachedInputTokens: 3, CacheWriteTokens: 4, ReasoningTokens: 5,
		Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER,
	}
	out.CostNanos, out.Currency, out.PriceVersion = 1<<50, "EUR", "v2"
	out.Failure = &conversationv1.Failure{
		Code: 14, Reason: meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, Message: "no",
		Metadata: map[string]string{"provider": "openai", "status": "502"}, RetryAfter: durationpb.New(time.Second),
	}
	out.SettleTime = timestamppb.New(out.GetReserveTime().AsTime().Add(3 * time.Second))
	out.QueueMicros, out.FirstTokenMicros, out.TotalMicros = 1, 2, 3
	out.ProviderResponseId = "chatcmpl-1"
	return out
}

func reserveThenSettle(t *testing.T, rig Rig) {
	a := Attempt(0, nil)
	must(t, rig.Store.Reserve(t.Context(), a, "i1"))
	same(t, list(t, rig, store.Filter{}), a)
	want := settled(a)
	if ok, err := rig.Store.Settle(t.Context(), want); err != nil || !ok {
		t.Fatalf("Settle = %v, %v", ok, err)
	}
	same(t, list(t, rig, store.Filter{}), want)
}

func settlesOnce(t *testing.T, rig Rig) {
	a := Attempt(0, nil)
	must(t, rig.Store.Reserve(t.Context(), a, "i1"))
	var won atomic.Int32
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			mine := settled(a)
			mine.CostNanos = int64(n)
			ok, err := rig.Store.Settle(t.Context(), mine)
			if err != nil {
				t.Error(err)
			}
			if ok {
				won.Add(1)
			}
		})
	}
	group.Wait()
	if won.Load() != 1 {
		t.Errorf("%d calls settled one row", won.Load())
	}
	if n, err := rig.Store.SettleOrphans(t.Context(), "other", 0, start); err != nil || n != 0 {
		t.Errorf("a settled row was settled as an orphan: %d, %v", n, err)
	}
}

func settleOfNothing(t *testing.T, rig Rig) {
	if ok, err := rig.Store.Settle(t.Context(), settled(Attempt(0, nil))); err != nil || ok {
		t.Errorf("Settle = %v, %v", ok, err)
	}
}

// A row of whose reservation nobody knows is closed, or added, once.
func settlesWhole(t *testing.T, rig Rig) {
	kept, missing := Attempt(0, nil), Attempt(1, nil)
	must(t, rig.Store.Reserve(t.Context(), kept, "i1"))
	for range 2 {
		for _, a := range []*gptv1.Attempt{kept, missing} {
			ok, err := rig.Store.SettleWhole(t.Context(), settled(a), "i1")
			if err != nil {
				t.Fatal(err)
			}
			if again := settled(a); ok {
				again.CostNanos++
				if ok, err := rig.Store.SettleWhole(t.Context(), again, "i1"); err != nil || ok {
					t.Errorf("closed twice: %v, %v", ok, err)
				}
				if ok, err := rig.Store.Settle(t.Context(), again); err != nil || ok {
					t.Errorf("settled again: %v, %v", ok, err)
				}
			}
		}
	}
	same(t, list(t, rig, store.Filter{}), settled(missing), settled(kept))
	if !rig.Shared {
		return
	}
	// A reservation that arrives late, over another connection, finds its row closed.
	if err := rig.Store.Reserve(t.Context(), missing, "i1"); err == nil {
		t.Error("a settled row was reserved")
	}
}

func reserveTwice(t *testing.T, rig Rig) {
	a := Attempt(0, nil)
	must(t, rig.Store.Reserve(t.Context(), a, "i1"))
	if err := rig.Store.Reserve(t.Context(), a, "i1"); err == nil {
		t.Error("a second row of one id was taken")
	}
}

func listFiltersAndPages(t *testing.T, rig Rig) {
	var all []*gptv1.Attempt
	for n := range 6 {
		a := Attempt(n, func(a *gptv1.Attempt) {
			a.RequestId = fmt.Sprintf("req_%d", n%2)
			a.SessionId = fmt.Sprintf("ses_%d", n%3)
		})
		must(t, rig.Store.Reserve(t.Context(), a, "i1"))
		all = append([]*gptv1.Attempt{a}, all...)
	}
	same(t, list(t, rig, store.Filter{}), all...)
	same(t, list(t, rig, store.Filter{Limit: 2}), all[:2]...)
	same(t, list(t, rig, store.Filter{Limit: 2, Cursor: all[1].GetId()}), all[2:4]...)
	same(t, list(t, rig, store.Filter{RequestID: "req_1"}), all[0], all[2], all[4])
	same(t, list(t, rig, store.Filter{SessionID: "ses_2", RequestID: "req_1"}), all[0])
	same(t, list(t, rig, store.Filter{After: start.Add(4 * time.Millisecond)}), all[:2]...)
	same(t, list(t, rig, store.Filter{Before: start.Add(2 * time.Millisecond)}), all[4:]...)
	same(t, list(t, rig, store.Filter{RequestID: "none"}))
}

func ownersAreApart(t *testing.T, rig Rig) {
	a := Attempt(0, func(a *gptv1.Attempt) { a.Owner = "key:1" })
	must(t, rig.Store.Reserve(t.Context(), a, "i1"))
	same(t, list(t, rig, store.Filter{RequestID: "req_1"}))
	same(t, list(t, rig, store.Filter{Owner: "key:1"}), a)
}

func orphans(t *testing.T, rig Rig) {
	dead, mine := Attempt(0, nil), Attempt(1, nil)
	must(t, rig.Store.Reserve(t.Context(), dead, "dead"))
	must(t, rig.Store.Reserve(t.Context(), mine, "self"))
	now := start.Add(time.Minute)
	if n, err := rig.Store.SettleOrphans(t.Context(), "self", 15*time.Second, now); err != nil || n != 1 {
		t.Fatalf("SettleOrphans = %d, %v", n, err)
	}
	want := proto.Clone(dead).(*gptv1.Attempt)
	want.State, want.Outcome = gptv1.Attempt_STATE_SETTLED, gptv1.Attempt_OUTCOME_UNKNOWN
	want.Usage.Source, want.SettleTime = conversationv1.UsageSource_USAGE_SOURCE_PARTIAL, timestamppb.New(now)
	same(t, list(t, rig, store.Filter{}), mine, want)
	if ok, err := rig.Store.Settle(t.Context(), settled(dead)); err != nil || ok {
		t.Errorf("an orphan was settled again: %v, %v", ok, err)
	}
}

func living(t *testing.T, rig Rig) {
	a := Attempt(0, nil)
	must(t, rig.Store.Beat(t.Context(), "living"))
	must(t, rig.Store.Beat(t.Context(), "living"))
	must(t, rig.Store.Reserve(t.Context(), a, "living"))
	spared, err := rig.Store.SettleOrphans(t.Context(), "self", time.Hour, start)
	must(t, err)
	if rig.Shared == (spared == 1) {
		t.Errorf("shared = %v, and %d rows of a living instance were settled", rig.Shared, spared)
	}
	must(t, rig.Store.Leave(t.Context(), "living"))
	left, err := rig.Store.SettleOrphans(t.Context(), "self", time.Hour, start)
	must(t, err)
	if spared+left != 1 {
		t.Errorf("%d rows settled after the instance left", spared+left)
	}
}

func expire(t *testing.T, rig Rig) {
	var rows []*gptv1.Attempt
	for n := range 5 {
		row := Attempt(n, nil)
		must(t, rig.Store.Reserve(t.Context(), row, "self"))
		rows = append(rows, row)
		if n != 1 { // which is under way
			rows[n] = settled(row)
			_, err := rig.Store.Settle(t.Context(), rows[n])
			must(t, err)
		}
	}
	for _, c := range []struct {
		before, limit, removed int
		left                   []*gptv1.Attempt
	}{
		{0, 9, 0, []*gptv1.Attempt{rows[4], rows[3], rows[2], rows[1], rows[0]}},
		{4, 1, 1, []*gptv1.Attempt{rows[4], rows[3], rows[2], rows[1]}},
		{4, 9, 2, []*gptv1.Attempt{rows[4], rows[1]}},
	} {
		n, err := rig.Store.Expire(t.Context(), start.Add(time.Duration(c.before)*time.Millisecond), c.limit)
		must(t, err)
		if n != c.removed {
			t.Errorf("%d rows were removed, want %d", n, c.removed)
		}
		same(t, list(t, rig, store.Filter{}), c.left...)
	}
}

func list(t *testing.T, rig Rig, filter store.Filter) []*gptv1.Attempt {
	t.Helper()
	if filter.Owner == "" {
		filter.Owner = "local"
	}
	if filter.Limit == 0 {
		filter.Limit = 100
	}
	attempts, err := rig.Store.List(t.Context(), filter)
	must(t, err)
	return attempts
}

func same(t *testing.T, got []*gptv1.Attempt, want ...*gptv1.Attempt) {
	t.Helper()
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
