// Package limiter bounds how many calls run at once and how many wait. Its
// bound adapts: refusals for overload lower it at once, calls that go well while
// it is in use raise it step by step (additive increase, multiplicative
// decrease).
package limiter

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// ErrFull says that as many calls wait as may, or that one waited too long.
var ErrFull = errors.New("limiter: full")

// Signal is what a call's end tells about the load that its server can take.
type Signal int

// The signals.
const (
	// Unknown tells nothing: the client left, or was itself at fault.
	Unknown Signal = iota
	// Good: the call was served.
	Good
	// Overload: the server refused for load, or did not answer in time.
	Overload
)

// Config bounds a limiter.
type Config struct {
	// Running is how many calls may run at once, at most. The limiter begins
	// there: a server is only held back once it has said that it has too much.
	Running int
	// Least is the lowest bound that overloads lead to. Zero means one place. A
	// server that takes fewer refuses for itself, while too low a bound lets one
	// slow call hold up all others.
	Least int
	// Waiting is how many more may wait for their turn.
	Waiting int
	// MaxWait is how long one may wait.
	MaxWait time.Duration
	// Fixed keeps the bound at Running whatever is signalled.
	Fixed bool
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

const (
	// decrease is what is left of the bound after an overload.
	decrease = 0.75
	// calm is the least time between two decreases: calls that were under way
	// together tell of one overload.
	calm = time.Second
	// inUse is the share of the bound that must be taken for it to be raised.
	inUse = 0.9
)

// Limiter gives out places to calls. It is safe for concurrent use; who waits
// longest goes first.
type Limiter struct {
	cfg Config

	mu      sync.Mutex
	limit   float64
	running int
	waiting list.List // of chan struct{}
	lowered time.Time
}

// New returns a limiter with all places free.
func New(cfg Config) *Limiter {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Least = min(max(cfg.Least, 1), cfg.Running)
	return &Limiter{cfg: cfg, limit: float64(cfg.Running)}
}

// Acquire takes a place; Release gives it back. The error is ErrFull, or ctx's.
func (l *Limiter) Acquire(ctx context.Context) error {
	l.mu.Lock()
	if l.running < int(l.limit) && l.waiting.Len() == 0 {
		l.running++
		l.mu.Unlock()
		return nil
	}
	if l.waiting.Len() >= l.cfg.Waiting {
		l.mu.Unlock()
		return ErrFull
	}
	turn := make(chan struct{})
	place := l.waiting.PushBack(turn)
	l.mu.Unlock()

	timer := time.NewTimer(l.cfg.MaxWait)
	defer timer.Stop()
	var err error
	select {
	case <-turn:
		return nil
	case <-timer.C:
		err = ErrFull
	case <-ctx.Done():
		err = ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-turn: // the place came in the same moment
		return nil
	default:
	}
	l.waiting.Remove(place)
	return err
}

// Release gives a place back and takes note of how the call went.
func (l *Limiter) Release(signal Signal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.cfg.Fixed:
	case signal == Overload:
		if now := l.cfg.Now(); now.Sub(l.lowered) >= calm {
			l.lowered = now
			l.limit = max(float64(l.cfg.Least), min(l.limit, float64(l.running))*decrease)
		}
	case signal == Good && float64(l.running) >= float64(int(l.limit))*inUse:
		l.limit = min(float64(l.cfg.Running), l.limit+1/l.limit)
	}
	l.running--
	for l.running < int(l.limit) && l.waiting.Len() > 0 {
		l.running++
		close(l.waiting.Remove(l.waiting.Front()).(chan struct{}))
	}
}

// State is a limiter as it is now.
type State struct {
	// Running is how many places are taken, Limit how many there are, Waiting
	// how many calls wait for one.
	Running, Limit, Waiting int
}

// State returns the state.
func (l *Limiter) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return State{Running: l.running, Limit: int(l.limit), Waiting: l.waiting.Len()}
}

// Full says that a call would have to wait.
func (l *Limiter) Full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running >= int(l.limit)
}
