// Package deferred postpones a write that another one, soon to come, may make
// needless.
package deferred

import (
	"context"
	"sync"
)

const (
	waiting = iota
	begun
	skipped
)

// Write is a write that happens after a delay, sooner where somebody asks for
// it, or not at all. It is safe for concurrent use.
type Write struct {
	mu    sync.Mutex
	state int
	do    func() error
	spawn func(func())
	done  chan struct{} // made when it begins; closed when it is over
	err   error         // of the write; read after done is closed
}

// Now makes a write that begins at once. do is run by spawn, which must not wait
// for it.
func Now(spawn func(func()), do func() error) *Write {
	w := &Write{do: do, spawn: spawn}
	w.Start()
	return w
}

// Done is a write that is over, with err.
func Done(err error) *Write {
	w := &Write{state: begun, done: make(chan struct{}), err: err}
	close(w.done)
	return w
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
	spawn(func() {
		defer close(w.done)
		w.err = do()
	})
}

// Skip returns true where the write has not begun, and then never will.
func (w *Write) Skip() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state != waiting {
		return false
	}
	w.state, w.do, w.spawn = skipped, nil, nil
	return true
}

// Wait begins the write where it has not begun, and waits for it. It returns
// the write's error with over set, or that of ctx. A skipped write never ends.
func (w *Write) Wait(ctx context.Context) (over bool, err error) {
	w.Start()
	w.mu.Lock()
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
