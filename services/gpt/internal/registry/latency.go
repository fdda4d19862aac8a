package registry

import (
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// latencyFade is the time in which an old observation loses most of its
	// weight.
	latencyFade = 10 * time.Second
	// latencyKept is how many observations quantiles are taken from.
	latencyKept = 128
	// latencyFew is how many observations a quantile needs at least.
	latencyFew = 8
)

// Latency is the observed time to the first token, as a peak-sensitive moving
// average: a slower observation counts at once, a faster one bit by bit. Its
// zero value knows nothing. It is safe for concurrent use.
type Latency struct {
	mu      sync.Mutex
	average float64 // seconds
	at      time.Time
	recent  []time.Duration // the last ones, a ring
	next    int
}

// Observe takes in a time to the first token.
func (l *Latency) Observe(d time.Duration, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.recent) < latencyKept {
		l.recent = append(l.recent, d)
	} else {
		l.recent[l.next] = d
		l.next = (l.next + 1) % latencyKept
	}
	l.weigh(d.Seconds(), now)
}

// Penalize makes the place look slow for a while: a call failed after d, and
// failing fast is no merit.
func (l *Latency) Penalize(d time.Duration, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.weigh(max(d.Seconds(), 1, min(2*l.average, 60)), now)
}

func (l *Latency) weigh(s float64, now time.Time) {
	if s >= l.average {
		l.average = s
	} else {
		kept := math.Exp(-now.Sub(l.at).Seconds() / latencyFade.Seconds())
		// Even observations in one moment move it a little.
		kept = min(kept, 0.95)
		l.average = l.average*kept + s*(1-kept)
	}
	l.at = now
}

// Average is the moving average, 0 where nothing was observed. It fades while
// nobody calls, so that a place that was slow once is tried again.
func (l *Latency) Average(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.average == 0 {
		return 0
	}
	idle := max(now.Sub(l.at)-latencyFade, 0)
	return time.Duration(l.average * math.Exp(-idle.Seconds()/(6*latencyFade.Seconds())) * float64(time.Second))
}

// Quantile is the time in which the share q of the last answers began; 0 where
// too few were observed.
func (l *Latency) Quantile(q float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.recent) < latencyFew {
		return 0
	}
	sorted := slices.Sorted(slices.Values(l.recent))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
