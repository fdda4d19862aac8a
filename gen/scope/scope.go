// Package scope is a context that can be cancelled and that costs one
// allocation, or none where it lies within what it belongs to. A turn passes
// several that lie within each other; most of them end without anybody having
// waited for it, and the standard library's take half a dozen allocations each
// before that is known.
package scope

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Scope is a context that ends with its parent, at its deadline, or with
// Cancel. It does all that a context of the standard library does, with those of
// either kind below and above it: context.Cause finds its cause, and what is made
// of it ends with it. It must be made by WithCancel or WithDeadline, or be
// part of another struct and be started with Start; it is not copied. Cancel must
// be called in the end.
type Scope struct {
	parent context.Context
	above  *Scope // the nearest one that the parent is or lies in, if nothing foreign that can end lies between
	node   node   // among those below above

	over  atomic.Pointer[ending]
	rare  atomic.Pointer[rare] // nil where it needs nothing of that
	mu    sync.Mutex
	below *node // one of the ring of those that hang on it; nil for none
}

// rare is what most scopes never need. But for apart, due and cause, which are set
// before anybody else knows of the Scope, its mutex guards it.
type rare struct {
	apart bool      // the parent's end does not count, and the timer waits for somebody who does
	due   time.Time // zero for none of its own
	cause error     // of the deadline
	timer *time.Timer

	foreign func() bool   // lets go of a parent that is no Scope
	done    chan struct{} // made when somebody asks
	shadow  context.Context
}

// more returns the Scope's rare part. s.mu is held, or nobody else knows of s.
func (s *Scope) more() *rare {
	x := s.rare.Load()
	if x == nil {
		x = new(rare)
		s.rare.Store(x)
	}
	return x
}

// ending is how a Scope ended.
type ending struct{ err, cause error }

var (
	plain = &ending{context.Canceled, context.Canceled}
	late  = &ending{context.DeadlineExceeded, context.DeadlineExceeded}
)

// node is a place in the ring of what ends with a Scope.
type node struct {
	next, prev *node
	of         *Scope // whose ring it is in; nil for none
	scope      *Scope // what ends, or
	run        func() // what is run
}

// scoped is a context that is a Scope or lies in one with nothing but values
// between.
type scoped interface{ nearest() *Scope }

func (s *Scope) nearest() *Scope { return s }

func nearest(ctx context.Context) *Scope {
	if c, ok := ctx.(scoped); ok {
		return c.nearest()
	}
	return nil
}

// WithCancel returns a Scope in parent.
func WithCancel(parent context.Context) *Scope {
	s := new(Scope)
	s.Start(parent)
	return s
}

// WithDeadline returns a Scope that ends at a time with
// context.DeadlineExceeded, and cause as its cause unless that is nil.
func WithDeadline(parent context.Context, due time.Time, cause error) *Scope {
	s := new(Scope)
	s.StartUntil(parent, due, cause)
	return s
}

// Start makes a Scope that is part of another struct ready. It is called once.
func (s *Scope) Start(parent context.Context) {
	s.parent = parent
	if above := nearest(parent); above != nil {
		s.above, s.node.scope = above, s
		if e := above.hang(&s.node); e != nil {
			s.end(e)
		}
		return
	}
	if parent.Done() == nil {
		return
	}
	if err := parent.Err(); err != nil {
		s.end(&ending{err, context.Cause(parent)})
		return
	}
	foreign := context.AfterFunc(parent, func() { s.end(&ending{parent.Err(), context.Cause(parent)}) })
	s.mu.Lock()
	s.more().foreign = foreign
	s.mu.Unlock()
}

// StartUntil is Start with a deadline.
func (s *Scope) StartUntil(parent context.Context, due time.Time, cause error) {
	x, first := s.until(parent, due, cause)
	if !first {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over.Load() == nil {
		s.arm(x)
	}
}

// StartAmong is StartUntil with a timer that is shared: n is a place in d, and the caller
// removes it when the Scope has ended.
func (s *Scope) StartAmong(d *Deadlines, n *Deadline, parent context.Context, due time.Time, cause error) {
	if _, first := s.until(parent, due, cause); first && s.over.Load() == nil {
		n.expires = true
		d.add(n, s, due)
	}
}

// until starts s and notes its deadline; first says that the parent's is not earlier.
func (s *Scope) until(parent context.Context, due time.Time, cause error) (x *rare, first bool) {
	x = s.more()
	x.due, x.cause = due, cause
	s.Start(parent)
	upper, ok := parent.Deadline()
	return x, !ok || due.Before(upper)
}

// arm starts the timer. s.mu is held.
func (s *Scope) arm(x *rare) {
	if x.timer == nil {
		x.timer = time.AfterFunc(time.Until(x.due), s.expire)
	}
}

func (s *Scope) expire() {
	if cause := s.rare.Load().cause; cause != nil {
		s.end(&ending{context.DeadlineExceeded, cause})
		return
	}
	s.end(late)
}

// Cancel ends the Scope; the first cause counts. Nil stands for
// context.Canceled.
func (s *Scope) Cancel(cause error) {
	if s.over.Load() != nil {
		return
	}
	if cause == nil {
		s.end(plain)
		return
	}
	s.end(&ending{context.Canceled, cause})
}

func (s *Scope) end(e *ending) {
	s.mu.Lock()
	if !s.over.CompareAndSwap(nil, e) {
		s.mu.Unlock()
		return
	}
	var foreign func() bool
	if x := s.rare.Load(); x != nil {
		if x.done != nil {
			close(x.done)
		}
		if x.timer != nil {
			x.timer.Stop()
		}
		foreign = x.foreign
	}
	for s.below != nil {
		n := s.below
		n.unlink()
		s.mu.Unlock()
		if n.scope != nil {
			n.scope.end(e)
		} else {
			go n.run()
		}
		s.mu.Lock()
	}
	s.mu.Unlock()
	if foreign != nil {
		foreign()
	}
	if s.above != nil {
		s.above.drop(&s.node)
	}
}

// hang adds n to the ring, or says how s has ended.
func (s *Scope) hang(n *node) *ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.over.Load(); e != nil {
		return e
	}
	if x := s.rare.Load(); x != nil && x.apart {
		s.arm(x)
	}
	n.of = s
	if s.below == nil {
		n.next, n.prev, s.below = n, n, n
		return nil
	}
	n.next, n.prev = s.below, s.below.prev
	n.prev.next, n.next.prev = n, n
	return nil
}

// drop takes n out of the ring; false where it is not in it any more.
func (s *Scope) drop(n *node) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.of == nil {
		return false
	}
	n.unlink()
	return true
}

func (n *node) unlink() {
	if n.next == n {
		n.of.below = nil
	} else if n.of.below == n {
		n.of.below = n.next
	}
	n.prev.next, n.next.prev = n.next, n.prev
	n.next, n.prev, n.of = nil, nil, nil
}

// Err implements context.Context.
func (s *Scope) Err() error {
	if e := s.over.Load(); e != nil {
		return e.err
	}
	switch x := s.rare.Load(); {
	case x != nil && x.apart:
		if !time.Now().Before(x.due) {
			s.expire()
		}
	case s.above == nil: // what ends it from there may be on its way
		if err := s.parent.Err(); err != nil {
			s.end(&ending{err, context.Cause(s.parent)})
		}
	}
	if e := s.over.Load(); e != nil {
		return e.err
	}
	return nil
}

// Cause is context.Cause of s.
func (s *Scope) Cause() error {
	if s.Err() == nil {
		return nil
	}
	return s.over.Load().cause
}

// Done implements context.Context.
func (s *Scope) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.more()
	if x.done == nil {
		x.done = make(chan struct{})
		switch {
		case s.over.Load() != nil:
			close(x.done)
		case x.apart:
			s.arm(x)
		}
	}
	return x.done
}

// Deadline implements context.Context.
func (s *Scope) Deadline() (time.Time, bool) {
	x := s.rare.Load()
	if x != nil && x.apart {
		return x.due, true
	}
	upper, ok := s.parent.Deadline()
	if x == nil || x.due.IsZero() || ok && upper.Before(x.due) {
		return upper, ok
	}
	return x.due, true
}

// Value implements context.Context.
func (s *Scope) Value(key any) any {
	if _, ok := key.(*int); ok {
		// The library's key to a context of its own kind, which it takes the cause
		// from. While there is none, it must find none: not one further up either.
		return s.shadowed(key)
	}
	return s.parent.Value(key)
}

func (s *Scope) shadowed(key any) any {
	e := s.over.Load()
	if e == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.more()
	if x.shadow == nil {
		shadow, cancel := context.WithCancelCause(context.Background())
		cancel(e.cause)
		x.shadow = shadow
	}
	return x.shadow.Value(key)
}

// AfterFunc is what the library looks for in a parent that is not of its own
// kind, so that it need not keep a goroutine for it.
func (s *Scope) AfterFunc(f func()) func() bool {
	n := &node{run: f}
	if s.hang(n) != nil {
		go f()
		return func() bool { return false }
	}
	return func() bool { return s.drop(n) }
}
