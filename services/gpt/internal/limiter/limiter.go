// Package limiter bounds how many calls run at once and how many wait.
package limiter

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// ErrFull says that as many calls wait as may, or that one waited too long.
var ErrFull = errors.New("limiter: full")

// Config bounds a limiter.
type Config struct {
	// Running is how many calls may run at once.
	Running int
	// Waiting is how many more may wait for their turn.
	Waiting int
	// MaxWait is how long one may wait.
	MaxWait time.Duration
}

// Limiter gives out places to calls. It is safe for concurrent use; who waits
// longest goes first.
type Limiter struct {
	cfg     Config
	places  chan struct{}
	waiting atomic.Int64
}

// New returns a limiter with all places free.
func New(cfg Config) *Limiter {
	return &Limiter{cfg: cfg, places: make(chan struct{}, cfg.Running)}
}

// Acquire takes a place; Release gives it back. The error is ErrFull, or ctx's.
func (l *Limiter) Acquire(ctx context.Context) error {
	select {
	case l.places <- struct{}{}:
		return nil
	default:
	}
	if l.waiting.Add(1) > int64(l.cfg.Waiting) {
		l.waiting.Add(-1)
		return ErrFull
	}
	defer l.waiting.Add(-1)
	timer := time.NewTimer(l.cfg.MaxWait)
	defer timer.Stop()
	select {
	case l.places <- struct{}{}:
		return nil
	case <-timer.C:
		return ErrFull
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Release gives a place back.
func (l *Limiter) Release() { <-l.places }

// Running is how many places are taken.
func (l *Limiter) Running() int { return len(l.places) }
