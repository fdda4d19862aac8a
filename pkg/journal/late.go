package journal

import (
	"context"
	"sync"
	"time"
)

// late tells those who wait for a flight with a time of their own that it may have
// come: one timer and one channel for all of them.
type late struct {
	mu    sync.Mutex
	due   time.Time
	timer *time.Timer
	rung  chan struct{} // closed at due
}

// at returns what is closed at due, or before.
func (l *late) at(due time.Time) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rung == nil || due.Before(l.due) {
		l.begin(due)
	}
	return l.rung
}

// begin makes those who wait look again, at due at the latest. l.mu is held.
func (l *late) begin(due time.Time) {
	if l.rung != nil {
		close(l.rung)
		l.timer.Stop()
	}
	rung := make(chan struct{})
	l.due, l.rung = due, rung
	l.timer = time.AfterFunc(time.Until(due), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.rung == rung {
			close(rung)
			l.rung = nil
		}
	})
}

// stop lets go of the timer: the flight has ended.
func (l *late) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rung != nil {
		l.timer.Stop()
		l.rung = nil
	}
}

// waitUntil is Wait for one whose ctx ends at due and not before.
func (f *Flight) waitUntil(ctx context.Context, due time.Time) error {
	for {
		select {
		case <-f.done:
			f.late.stop()
			return f.err
		case <-f.late.at(due):
		}
		select {
		case <-f.done:
			return f.err
		default:
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
