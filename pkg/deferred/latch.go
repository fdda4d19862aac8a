package deferred

import "sync"

// Latch is opened once, and may be waited for. It costs a channel only where
// somebody waits. The zero value is closed. It is safe for concurrent use.
type Latch struct {
	mu     sync.Mutex
	open   bool
	opened chan struct{}
}

// Open opens it. Later calls do nothing.
func (l *Latch) Open() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open && l.opened != nil {
		close(l.opened)
	}
	l.open = true
}

// Opened is closed when the latch is open.
func (l *Latch) Opened() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.opened == nil {
		l.opened = make(chan struct{})
		if l.open {
			close(l.opened)
		}
	}
	return l.opened
}
