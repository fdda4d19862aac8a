package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantiles(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	h := newHistogram()
	if got := h.quantile(0.99); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	var all []time.Duration
	for range 20_000 {
		d := time.Duration(random.ExpFloat64() * float64(3*time.Millisecond))
		h.add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999} {
		want, got := all[int(q*float64(len(all)))-1], h.quantile(q)
		if d := float64(got - want); d < -200 || d > float64(want)*0.005+200 {
			t.Errorf("quantile %v = %v, want about %v", q, got, want)
		}
	}
	h.add(-time.Second)
	h.add(48 * time.Hour)
	if got := h.quantile(1); got < 59*time.Minute {
		t.Errorf("what is out of range counts as the greatest: %v", got)
	}
}
