package scope

import (
	"context"
	"sync/atomic"
	"time"
)

// Apart is a context for what must happen although the caller may leave: the
// values of its parent, and a deadline of its own. Until somebody waits for its
// end, or makes a context of it that does, it is no more than that. It is made by
// Lasting, or is part of another struct and is started with Start, and Cancel must
// be called in the end.
type Apart struct {
	parent context.Context
	due    time.Time
	over   atomic.Pointer[ending] // nil while it lasts, or where inner knows
	inner  atomic.Pointer[Scope]  // made when somebody waits
}

// Lasting returns a context that ends after timeout, whatever becomes of ctx. It
// is not inlined, so that what calls it can be: a deferred Stop then costs nothing.
//
//go:noinline
func Lasting(ctx context.Context, timeout time.Duration) *Apart {
	return &Apart{parent: ctx, due: time.Now().Add(timeout)}
}

// Start makes an Apart that is part of another struct ready. It is called once.
func (a *Apart) Start(ctx context.Context, timeout time.Duration) {
	a.parent, a.due = ctx, time.Now().Add(timeout)
}

// nearest is the Scope that a context made of it hangs on.
func (a *Apart) nearest() *Scope {
	if s := a.inner.Load(); s != nil {
		return s
	}
	s := &Scope{parent: a.parent}
	x := s.more()
	x.apart, x.due = true, a.due
	if !a.inner.CompareAndSwap(nil, s) {
		return a.inner.Load()
	}
	// Who ends it sets over first and looks for inner then.
	if e := a.over.Load(); e != nil {
		s.end(e)
	}
	return s
}

func (a *Apart) end(e *ending) {
	if !a.over.CompareAndSwap(nil, e) {
		return
	}
	if s := a.inner.Load(); s != nil {
		s.end(e)
	}
}

// Cancel ends the context; the first cause counts. Nil stands for
// context.Canceled.
func (a *Apart) Cancel(cause error) {
	switch s := a.inner.Load(); {
	case s != nil:
		s.Cancel(cause)
	case cause == nil:
		a.end(plain)
	default:
		a.end(&ending{context.Canceled, cause})
	}
}

// Stop is Cancel without a cause.
//
//go:noinline
func (a *Apart) Stop() { a.Cancel(nil) }

// EndsAt tells when ctx ends where that is an Apart for whose end nobody has waited
// yet: time alone ends it, and whoever it belongs to. ok is false for every other
// context.
func EndsAt(ctx context.Context) (due time.Time, ok bool) {
	a, ok := ctx.(*Apart)
	if !ok || a.inner.Load() != nil || a.over.Load() != nil {
		return time.Time{}, false
	}
	return a.due, true
}

// Err implements context.Context.
func (a *Apart) Err() error {
	if s := a.inner.Load(); s != nil {
		return s.Err()
	}
	if a.over.Load() == nil && !time.Now().Before(a.due) {
		a.end(late)
	}
	if e := a.over.Load(); e != nil {
		return e.err
	}
	return nil
}

// Done implements context.Context.
func (a *Apart) Done() <-chan struct{} { return a.nearest().Done() }

// Deadline implements context.Context.
func (a *Apart) Deadline() (time.Time, bool) { return a.due, true }

// Value implements context.Context.
func (a *Apart) Value(key any) any {
	if _, ok := key.(*int); ok { // see Scope.Value
		if a.inner.Load() == nil && a.over.Load() == nil {
			return nil
		}
		return a.nearest().Value(key)
	}
	return a.parent.Value(key)
}

// AfterFunc is Scope.AfterFunc.
func (a *Apart) AfterFunc(f func()) func() bool { return a.nearest().AfterFunc(f) }
