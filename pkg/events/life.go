package events

import (
	"context"
	"sync"
	"time"
)

// Life is the time that a broker is open. It is safe for concurrent use.
type Life struct {
	ctx context.Context
	end context.CancelFunc

	mu   sync.Mutex
	over bool
	work sync.WaitGroup // is added to only while it is not over
}

// NewLife begins one. End must be called.
func NewLife() *Life {
	l := new(Life)
	l.ctx, l.end = context.WithCancel(context.Background())
	return l
}

// Over says that End was called.
func (l *Life) Over() bool { return l.ctx.Err() != nil }

// Join returns ctx that also ends with the life, which waits at its end until
// leave is called. Of a life that is over the context has ended.
func (l *Life) Join(ctx context.Context) (both context.Context, leave func()) {
	both, cancel := context.WithCancel(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		cancel()
		return both, func() {}
	}
	l.work.Add(1)
	unhook := context.AfterFunc(l.ctx, cancel)
	return both, func() {
		unhook()
		cancel()
		l.work.Done()
	}
}

// Go runs work, which ends with the context that it is given, and which the life
// waits for at its end. It runs nothing in a life that is over.
func (l *Life) Go(work func(ctx context.Context)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		l.work.Go(func() { work(l.ctx) })
	}
}

// End ends the life and returns when all have left. It may be called again.
func (l *Life) End() {
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	l.end()
	l.work.Wait()
}

// Pause waits for so long, or until ctx ends.
func Pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
