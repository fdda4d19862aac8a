package gpt_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt"
)

func TestStrategies(t *testing.T) {
	t.Parallel()
	a, b := newPlace(t, script(whole)), newPlace(t, script(whole))
	r := routed(t, gpt.RouteConfig{Strategy: "weighted", Targets: []gpt.TargetConfig{{Model: "a/m", Weight: 9}, {Model: "b/m"}}}, a, b)
	for range 100 {
		r.generate(t.Context(), ask("r"))
	}
	if a.calls() < 70 || b.calls() == 0 || a.calls()+b.calls() != 100 {
		t.Errorf("weighted 9 to 1: %d and %d calls", a.calls(), b.calls())
	}

	var passed atomic.Int64 // by the room's clock
	slow := newPlace(t, script(func(w http.ResponseWriter, r *http.Request) {
		passed.Add(int64(100 * time.Millisecond))
		whole(w, r)
	}))
	quick, began := newPlace(t, script(whole)), time.Now()
	r = start(t, setup{clock: func() time.Time { return began.Add(time.Duration(passed.Load())) }, config: func(c *gpt.Config) {
		c.Providers = map[string]gpt.ProviderConfig{"a": {BaseURL: slow.url}, "b": {BaseURL: quick.url}}
		c.Routes = map[string]gpt.RouteConfig{"r": {Strategy: "latency", Targets: []gpt.TargetConfig{{Model: "a/m"}, {Model: "b/m"}}}}
	}})
	for range 40 {
		r.generate(t.Context(), ask("r"))
	}
	if slow.calls() > 1 || slow.calls()+quick.calls() != 40 {
		t.Errorf("latency: the slow target has %d calls, the quick one %d", slow.calls(), quick.calls())
	}

	dear, cheap := newPlace(t, script(whole)), newPlace(t, script(whole))
	r = start(t, setup{config: func(c *gpt.Config) {
		c.Providers = map[string]gpt.ProviderConfig{"a": {BaseURL: dear.url}, "b": {BaseURL: cheap.url}}
		c.Models = map[string]gpt.ModelConfig{"a/m": {Prices: &gpt.PricesConfig{Input: 5}}, "b/m": {Prices: &gpt.PricesConfig{Input: 1}}}
		c.Routes = map[string]gpt.RouteConfig{"r": {Strategy: "price", Targets: []gpt.TargetConfig{{Model: "a/m"}, {Model: "b/m"}}}}
	}})
	for range 10 {
		r.generate(t.Context(), ask("r"))
	}
	if dear.calls() != 0 {
		t.Errorf("price: the dear target has %d calls", dear.calls())
	}
	models, err := r.ListModels(t.Context(), &gptv1.ListModelsRequest{Provider: "route"})
	if err != nil || len(models.GetModels()) != 1 || models.GetModels()[0].GetStrategy() != "price" || len(models.GetModels()[0].GetTargets()) != 2 {
		t.Error(models, err)
	}
}

func TestHedging(t *testing.T) {
	t.Parallel()
	var r *rig
	for after := 20 * time.Millisecond; ; after *= 2 {
		gone := make(chan struct{})
		a, b := newPlace(t, script(hang(gone))), newPlace(t, script(whole))
		r = routed(t, gpt.RouteConfig{Hedge: gpt.HedgeConfig{After: after}}, a, b)
		got := r.generate(t.Context(), ask("r"))
		if got.reason() != "finished" || got.text() != "Hello there" {
			t.Fatalf("%s %q", got.reason(), got.text())
		}
		if a.calls() > 0 {
			<-gone // the loser's connection is closed
			break
		}
		if after > 10*time.Second {
			t.Fatal("the first place was never asked")
		}
	}
	rows := byNumber(t, r)
	if len(rows) != 2 || rows[0].GetOutcome() != gptv1.Attempt_OUTCOME_CANCELLED || rows[0].GetState() != gptv1.Attempt_STATE_SETTLED ||
		rows[1].GetOutcome() != gptv1.Attempt_OUTCOME_COMPLETED || rows[1].GetCause() != gptv1.Attempt_CAUSE_HEDGE {
		t.Errorf("%v", rows)
	}
	if rows[0].GetUsage().GetSource() != conversationv1.UsageSource_USAGE_SOURCE_PARTIAL {
		t.Errorf("the loser's usage: %v", rows[0].GetUsage())
	}
}

// Hedges stay inside the budget: where every call is slow, few are doubled.
func TestHedgesAreWithinTheBudget(t *testing.T) {
	t.Parallel()
	late := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(15 * time.Millisecond):
		case <-r.Context().Done():
			return
		}
		whole(w, r)
	}
	a, b := newPlace(t, script(late)), newPlace(t, script(late))
	r := routed(t, gpt.RouteConfig{Hedge: gpt.HedgeConfig{After: time.Millisecond}}, a, b)
	for range 60 {
		if got := r.generate(t.Context(), ask("r")); got.reason() != "finished" {
			t.Fatal(got.reason())
		}
	}
	if extra := a.calls() + b.calls() - 60; extra > 10+6+6 {
		t.Errorf("%d hedges for 60 calls", extra)
	}
}
