// Package breaker keeps calls away from what keeps failing: closed →
// (failures in a row) → open → (time) → one probe → closed or open again.
package breaker

import (
	"sync"
	"time"
)

// State is where a breaker is.
type State int

// The states.
const (
	// Closed lets every call through.
	Closed State = iota
	// Open lets none through.
	Open
	// Probing lets none through while one call tries.
	Probing
)

// Outcome is what a call says about the health of what it called.
type Outcome int

const (
	// Success: it did its part.
	Success Outcome = iota
	// Failure: it is to blame.
	Failure
	// Neutral says nothing: the client left, or was itself at fault.
	Neutral
)

// Config says when to open and for how long.
type Config struct {
	// Failures in a row open the breaker.
	Failures int
	// OpenFor is the time until a probe is let through.
	OpenFor time.Duration
	// Now is the clock.
	Now func() time.Time
}

// Breaker guards one thing that is called. It is safe for concurrent use.
type Breaker struct {
	cfg         Config
	call, probe Ticket // all tickets are one of these

	mu       sync.Mutex
	state    State
	failures int
	openedAt time.Time
	reason   string
}

// New returns a closed breaker.
func New(cfg Config) *Breaker {
	b := &Breaker{cfg: cfg}
	b.call, b.probe = Ticket{breaker: b}, Ticket{breaker: b, probe: true}
	return b
}

// Ready says that a call would be let through now.
func (b *Breaker) Ready() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state == Closed || b.state == Open && b.cfg.Now().Sub(b.openedAt) >= b.cfg.OpenFor
}

// Ticket is the right to make one call. Done must be called exactly once.
type Ticket struct {
	breaker *Breaker
	probe   bool
}

// Allow gives the right to a call. Where it refuses, ticket is nil and wait is
// the time until a probe may be tried, never 0.
func (b *Breaker) Allow() (ticket *Ticket, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.state {
	case Closed:
		return &b.call, 0
	case Open:
		if left := b.cfg.OpenFor - b.cfg.Now().Sub(b.openedAt); left > 0 {
			return nil, left
		}
		b.state = Probing
		return &b.probe, 0
	}
	return nil, time.Second
}

// Done reports how the call ended; reason says why it failed.
func (t *Ticket) Done(outcome Outcome, reason string) {
	b := t.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	switch outcome {
	case Success:
		// A call that began before the breaker opened proves nothing about now.
		if t.probe || b.state == Closed {
			b.state, b.failures, b.reason = Closed, 0, ""
		}
	case Failure:
		b.failures++
		b.reason = reason
		if t.probe && b.state == Probing || b.state == Closed && b.failures >= b.cfg.Failures {
			b.state, b.openedAt = Open, b.cfg.Now()
		}
	case Neutral:
		if t.probe && b.state == Probing {
			// The probe learnt nothing: the next call probes again at once.
			b.state = Open
		}
	}
}

// Reset closes the breaker at once. Calls under way count as usual, and so does a
// probe: it decides nothing any more.
func (b *Breaker) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state, b.failures, b.reason = Closed, 0, ""
}

// Snapshot is a breaker as it is now.
type Snapshot struct {
	// State is where it is. An open one whose time is over counts as Probing.
	State State
	// Failures is how many calls failed in a row.
	Failures int
	// Reason is why the last call failed.
	Reason string
}

// Snapshot returns the state.
func (b *Breaker) Snapshot() Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	state := b.state
	if state == Open && b.cfg.Now().Sub(b.openedAt) >= b.cfg.OpenFor {
		state = Probing
	}
	return Snapshot{State: state, Failures: b.failures, Reason: b.reason}
}
