package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantilesAreWithinABucket(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var h histogram
	var all []time.Duration
	for range 20_000 {
		d := time.Duration(random.ExpFloat64() * float64(3*time.Millisecond))
		h.add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999} {
		want, got := all[int(q*float64(len(all)))-1], h.quantile(q)
		if got < want || float64(got) > float64(want)*1.04+2 {
			t.Errorf("quantile %v = %v, want %v to 4%% above", q, got, want)
		}
	}
}
