package gpt

import (
	"sync"
	"time"

	"github.com/gptmesh/gptmesh/gen/scope"
)

// watchdog ends an attempt whose provider is silent for too long. Time in which
// the client does not take what came is not the provider's. Its timer is not
// touched by chunks: when it rings, it looks at how long the silence is.
type watchdog struct {
	mu      sync.Mutex
	of      *scope.Scope // what it ends
	timer   *time.Timer  // nil where nothing is watched
	idle    time.Duration
	late    error     // why, where nothing came at all
	limit   time.Time // when the silence is too long
	due     time.Time // when the timer rings; zero once it has rung
	held    bool      // the client takes a chunk
	begun   bool
	stopped bool
	over    bool // nothing rings any more; belongs to who stops it
}

// start begins with the wait for the first token; 0 means no limit for it, and
// none for later ones.
func (w *watchdog) start(of *scope.Scope, first, idle time.Duration, late error) {
	w.of, w.idle, w.late = of, idle, late
	if first > 0 {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.limit = time.Now().Add(first)
		w.due = w.limit
		w.timer = time.AfterFunc(first, w.ring)
	}
}

func (w *watchdog) ring() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped || w.held {
		w.due = time.Time{} // resume winds it up again
		return
	}
	if left := time.Until(w.limit); left > 0 {
		w.due = w.limit
		w.timer.Reset(left)
		return
	}
	if w.begun {
		w.of.Cancel(errIdle)
	} else {
		w.of.Cancel(w.late)
	}
}

// pause holds the clock while a chunk is handed on.
func (w *watchdog) pause() {
	if w.timer == nil {
		return
	}
	w.mu.Lock()
	w.held = true
	w.mu.Unlock()
}

// resume waits for the next chunk: for the first token as long as is left,
// afterwards for the idle time.
func (w *watchdog) resume(begun bool) {
	if w.timer == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = false
	if begun {
		w.begun, w.limit = true, time.Now().Add(w.idle)
	}
	if w.due.IsZero() || w.limit.Before(w.due) {
		w.due = w.limit
		w.timer.Reset(max(time.Until(w.limit), time.Nanosecond))
	}
}

// stop ends the watch, and notes whether the timer is sure not to ring any more.
func (w *watchdog) stop() {
	if w.timer == nil {
		w.over = true
		return
	}
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.over = w.timer.Stop()
}
