package main

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets of at most 1/32 relative width, from
// 64 ns to hours. Its zero value is empty. Not safe for concurrent use.
type histogram struct {
	counts [64 * 32]int64
	total  int64
}

func bucket(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < 64 {
		return int(v)
	}
	exponent := bits.Len64(v) - 6
	return exponent*32 + int(v>>exponent)
}

// upper is the largest duration of a bucket.
func upper(b int) time.Duration {
	if b < 64 {
		return time.Duration(b)
	}
	exponent := b/32 - 1
	return time.Duration((uint64(b%32+32+1) << exponent) - 1)
}

func (h *histogram) add(d time.Duration) {
	h.counts[min(bucket(d), len(h.counts)-1)]++
	h.total++
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}

// quantile is the duration that share q of all do not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	rank, seen := int64(q*float64(h.total)+0.5), int64(0)
	for b, n := range h.counts {
		if seen += n; n > 0 && seen >= rank {
			return upper(b)
		}
	}
	return 0
}
