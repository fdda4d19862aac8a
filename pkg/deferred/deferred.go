// Package deferred postpones a write that another one, soon to come, may make
// needless.
package deferred

import (
	"context"
	"sync"
	"time"
)

const (
	unmade = iota
	waiting
	begun
	skipped
	over
)

// Write is a write that happens after a delay, sooner where somebody asks for
// it, or not at all. It is part of the struct that it belongs to, and is made by
// one call of Now, OnDemand, Done or Queue.Later; from then on it is safe for concurrent
// use, and must not be copied.
type Write struct {
	mu    sync.Mutex
	state int
	do    func() error
	spawn func(func())
	done  chan struct{} // made when it begins; closed when it is over
	err   error         // of the write; read after done is closed

	queue      *Queue // where it waits; nil for none
	next, prev *Write // there, guarded by the queue
	due        time.Time
}

// InPlace runs f at once, for whoever begins a write. It is for writes that wait for
// nothing, as a rule: those of a queue that are due together come one after the other.
func InPlace(f func()) { f() }

// Now begins the write at once. do is run by spawn, which must not wait for it.
func (w *Write) Now(spawn func(func()), do func() error) {
	w.state, w.do, w.spawn = waiting, do, spawn
	w.Start()
}

// OnDemand makes it a write that begins when somebody asks for it. do is run by spawn,
// once or not at all.
func (w *Write) OnDemand(spawn func(func()), do func() error) {
	w.state, w.do, w.spawn = waiting, do, spawn
}

// Done makes it a write that is over, with err.
func (w *Write) Done(err error) {
	w.state, w.err = over, err
}

// Start begins the write where it neither has begun nor was skipped.
func (w *Write) Start() {
	w.mu.Lock()
	if w.state != waiting {
		w.mu.Unlock()
		return
	}
	do, spawn := w.do, w.spawn
	w.state, w.do, w.spawn, w.done = begun, nil, nil, make(chan struct{})
	w.mu.Unlock()
	w.queue.drop(w)
	spawn(func() {
		defer close(w.done)
		w.err = do()
	})
}

// Skip returns true where the write has not begun, and then never will.
func (w *Write) Skip() bool {
	w.mu.Lock()
	if w.state != waiting {
		w.mu.Unlock()
		return false
	}
	w.state, w.do, w.spawn = skipped, nil, nil
	w.mu.Unlock()
	w.queue.drop(w)
	return true
}

// Wait begins the write where it has not begun, and waits for it. It returns
// the write's error with ended set, or that of ctx. A skipped write never ends.
func (w *Write) Wait(ctx context.Context) (ended bool, err error) {
	w.Start()
	w.mu.Lock()
	if w.state == over {
		defer w.mu.Unlock()
		return true, w.err
	}
	done := w.done
	w.mu.Unlock()
	select {
	case <-done:
		return true, w.err
	default:
	}
	select {
	case <-done:
		return true, w.err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
