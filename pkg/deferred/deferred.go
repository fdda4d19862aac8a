// Package deferred postpones a write that another one, soon to come, may make
// needless.
package deferred

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	waiting int32 = iota
	begun
	skipped
)

// Write is a write that happens after a delay, sooner where somebody asks for
// it, or not at all. It is safe for concurrent use.
type Write struct {
	do    func() error
	spawn func(func())
	state atomic.Int32
	timer *time.Timer   // nil without a delay
	done  chan struct{} // closed when the write is over
	err   error         // of the write; read after done is closed
}

// New makes a write that begins after delay, at once where delay is 0. do is
// run by spawn, once or not at all; spawn must not wait for it. Exactly one of
// Start and Skip must be called in the end, so that nothing is left to the
// timer.
func New(delay time.Duration, spawn func(func()), do func() error) *Write {
	w := &Write{do: do, spawn: spawn, done: make(chan struct{})}
	if delay <= 0 {
		w.Start()
		return w
	}
	w.timer = time.AfterFunc(delay, w.Start)
	return w
}

// Done is a write that is over, with err.
func Done(err error) *Write {
	w := &Write{done: make(chan struct{}), err: err}
	w.state.Store(begun)
	close(w.done)
	return w
}

// Start begins the write where it neither has begun nor was skipped.
func (w *Write) Start() {
	if !w.state.CompareAndSwap(waiting, begun) {
		return
	}
	w.spawn(func() {
		defer close(w.done)
		w.err = w.do()
	})
}

// Skip returns true where the write has not begun, and then never will.
func (w *Write) Skip() bool {
	if !w.state.CompareAndSwap(waiting, skipped) {
		return false
	}
	w.timer.Stop()
	return true
}

// Wait begins the write where it has not begun, and waits for it. It returns
// the write's error with over set, or that of ctx. A skipped write never ends.
func (w *Write) Wait(ctx context.Context) (over bool, err error) {
	w.Start()
	if w.timer != nil {
		w.timer.Stop()
	}
	select {
	case <-w.done:
		return true, w.err
	default:
	}
	select {
	case <-w.done:
		return true, w.err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
