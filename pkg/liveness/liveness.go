// Package liveness says when the silence of other processes on a common store means that
// they are dead.
package liveness

import (
	"sync"
	"time"
)

// Pulse follows the heartbeats of this process. Where they came late, because the store was
// away or the machine had too much to do, those of the others may have been late as well:
// until these have had their turn, nobody is dead. It is safe for concurrent use.
type Pulse struct {
	interval, deadAfter time.Duration

	mu          sync.Mutex
	last, quiet time.Time
}

// New begins with a heartbeat at now. Processes beat every interval, and are dead after a
// silence of deadAfter, which is more than two intervals.
func New(interval, deadAfter time.Duration, now time.Time) *Pulse {
	return &Pulse{interval: interval, deadAfter: deadAfter, last: now}
}

// Patience bounds one heartbeat: a store that is slow is given time, and one that hangs
// leaves some for another try.
func (p *Pulse) Patience() time.Duration { return max(p.interval, p.deadAfter/2) }

// Beat notes a heartbeat that the store has taken at now. The silence of others may have
// been longer by an interval than that of this process.
func (p *Pulse) Beat(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.last) > p.deadAfter-p.interval {
		p.quiet = now.Add(p.deadAfter)
	}
	p.last = now
}

// Trusted says whether at now the silence of others means that they are dead. It does not
// while this process's own heartbeat is late.
func (p *Pulse) Trusted(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !now.Before(p.quiet) && now.Sub(p.last) <= p.deadAfter-p.interval
}
