package callctx

import (
	"context"
	"sync"
	"time"
)

// Lasting is a context for what must happen although the caller may leave: the
// values of ctx, and a deadline of its own. It costs little where nobody waits
// for its end. The returned function must be called when the work is over.
func Lasting(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	l := &lasting{values: ctx, deadline: time.Now().Add(timeout)}
	return l, l.stop
}

type lasting struct {
	values   context.Context // the caller's, whose end does not count
	deadline time.Time

	mu      sync.Mutex
	stopped bool
	inner   context.Context // made when somebody waits, and the timer with it
	cancel  context.CancelFunc
}

func (l *lasting) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	if l.cancel != nil {
		l.cancel()
	}
}

func (l *lasting) Deadline() (time.Time, bool) { return l.deadline, true }

func (l *lasting) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inner == nil {
		l.inner, l.cancel = context.WithDeadline(context.WithoutCancel(l.values), l.deadline)
		if l.stopped {
			l.cancel()
		}
	}
	return l.inner.Done()
}

func (l *lasting) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.inner != nil:
		return l.inner.Err()
	case l.stopped:
		return context.Canceled
	case !time.Now().Before(l.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

// Value asks the inner context once there is one, so that contexts made of this
// one find it and end with it.
func (l *lasting) Value(key any) any {
	l.mu.Lock()
	inner := l.inner
	l.mu.Unlock()
	if inner != nil {
		return inner.Value(key)
	}
	if _, ok := key.(*int); ok {
		// The library's key to what can be cancelled is one: context.Cause must
		// not find what the caller ends by. Others find their value as well.
		return context.WithoutCancel(l.values).Value(key)
	}
	return l.values.Value(key)
}
