package learn_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// TestEvidenceIsTheStrongest: a few pieces of evidence are the first of all, and
// all have names.
func TestEvidenceIsTheStrongest(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*learn.Model{
		"groups":  train(t, labelled(1, 200, 0.1, "a", "b"), learn.TrainConfig{Head: "kind", Seed: 1}),
		"routing": train(t, routed(1, 200), learn.TrainConfig{Head: "route", Seed: 1}),
	} {
		for _, d := range []learn.Document{kilobyte, {Text: "prove the theorem, then add an option"}, {Text: "x", Group: "a"}} {
			want := m.Explain(d, 1000).Evidence
			got := m.Evidence(d, 5)
			if len(got) != min(5, len(want)) {
				t.Fatalf("%s: %d pieces of evidence, Explain has %d", name, len(got), len(want))
			}
			for i, e := range got {
				if e.Feature == "" || e.Weight != want[i].Weight {
					t.Errorf("%s: evidence %d is %+v, Explain has %+v", name, i, e, want[i])
				}
			}
		}
	}
}

func TestLiveSwapsUnderUse(t *testing.T) {
	t.Parallel()
	var live learn.Live
	if live.Set() == nil || len(live.Set().Classify(kilobyte, nil)) != 0 {
		t.Fatal("the zero value is not an empty set")
	}
	one := train(t, labelled(1, 60, 0), learn.TrainConfig{Head: "one", Seed: 1})
	two := train(t, labelled(1, 60, 0), learn.TrainConfig{Head: "two", Seed: 1})
	with := func(m *learn.Model) func(*learn.Set) (*learn.Set, error) {
		return func(s *learn.Set) (*learn.Set, error) { return s.With(m) }
	}
	var wg sync.WaitGroup
	for _, m := range []*learn.Model{one, two, one, two} {
		wg.Go(func() {
			if err := live.Update(with(m)); err != nil {
				t.Error(err)
			}
			live.Set().Classify(kilobyte, nil)
		})
	}
	wg.Wait()
	if n := len(live.Set().Heads()); n != 2 {
		t.Errorf("%d heads after four updates of two", n)
	}
	if d := cmp.Diff([]string{"one"}, live.Set().Without("two").Heads()); d != "" {
		t.Errorf("without two:\n%s", d)
	}
	before := live.Set()
	if err := live.Update(func(*learn.Set) (*learn.Set, error) { return nil, errors.New("no") }); err == nil || live.Set() != before {
		t.Errorf("a failed update: %v", err)
	}
	if live.Swap(nil) != before || len(live.Set().Heads()) != 0 {
		t.Error("swap did not return the set before")
	}
}

func BenchmarkEvidence(b *testing.B) {
	m := train(b, labelled(1, 600, 0.1, "a", "b"), learn.TrainConfig{Head: "issue", Seed: 1})
	b.ReportAllocs()
	for b.Loop() {
		m.Evidence(kilobyte, 5)
	}
}
