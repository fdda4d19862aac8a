package journal

import (
	"context"
	"sync"
	"time"
)

// late wakes those who wait for a flight with a time of their own, when it has come and
// when it may have: one timer and one channel for all of them.
type late struct {
	mu    sync.Mutex
	due   time.Time
	timer *time.Timer
	rung  chan struct{} // closed at due, and when the flight has come
	over  bool          // it has come
}

// at returns what is closed when the flight has come, and at due, or before; nil where
// it has come.
func (l *late) at(due time.Time) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return nil
	}
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

// end says that the flight has come.
func (l *late) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	if l.rung != nil {
		l.timer.Stop()
		close(l.rung)
		l.rung = nil
	}
}

// waitUntil is Wait for one whose ctx ends at due and not before.
func (f *Flight) waitUntil(ctx context.Context, due time.Time) error {
	for {
		if rung := f.late.at(due); rung != nil {
			<-rung
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
