package gpt

import (
	"context"
	"sync"
	"time"
)

// watchdog ends an attempt whose provider is silent for too long. Time in which
// the client does not take what came is not the provider's.
type watchdog struct {
	mu          sync.Mutex
	cancel      context.CancelCauseFunc
	timer       *time.Timer
	first, idle time.Duration
	deadline    time.Time // of the first token
	cause       error
	stopped     bool
}

// watch begins with the wait for the first token; 0 means no limit for it.
func watch(cancel context.CancelCauseFunc, first, idle time.Duration) *watchdog {
	w := &watchdog{cancel: cancel, first: first, idle: idle, cause: errFirstToken, deadline: time.Now().Add(first)}
	if first > 0 {
		w.timer = time.AfterFunc(first, w.bark)
	}
	return w
}

func (w *watchdog) bark() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		w.cancel(w.cause)
	}
}

// pause holds the clock while a chunk is handed on.
func (w *watchdog) pause() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// resume waits for the next chunk: for the first token as long as is left,
// afterwards for the idle time.
func (w *watchdog) resume(begun bool) {
	if w.timer == nil {
		return
	}
	if !begun {
		w.timer.Reset(max(time.Until(w.deadline), time.Nanosecond))
		return
	}
	w.mu.Lock()
	w.cause = errIdle
	w.mu.Unlock()
	w.timer.Reset(w.idle)
}

// stop ends the watch.
func (w *watchdog) stop() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.pause()
}
