package scope

import (
	"sync"
	"time"
)

// Deadlines ends scopes at their times with one timer for all of them: most end
// before, and it is cheaper to take one out of a list than to stop its timer. It is
// made for calls that are given about the same time. The zero value is ready; it is
// safe for concurrent use.
type Deadlines struct {
	mu    sync.Mutex
	first *Deadline // the earliest; its prev is the latest
	timer *time.Timer
	rings time.Time // zero while nothing is going to ring
}

// Deadline is a place in a list of Deadlines, within the struct that it belongs to.
// It is used once.
type Deadline struct {
	in         *Deadlines // nil for none
	next, prev *Deadline
	at         time.Time
	scope      *Scope
	cause      error
	expires    bool        // at is the scope's own deadline
	timer      *time.Timer // of those that have no place in the list
}

// farthest is how many later ones are passed to find a place.
const farthest = 32

// Add makes s end at a time as Cancel would end it, with cause, unless n is removed
// before.
func (d *Deadlines) Add(n *Deadline, s *Scope, at time.Time, cause error) {
	n.cause = cause
	d.add(n, s, at)
}

// add puts n into the list.
func (d *Deadlines) add(n *Deadline, s *Scope, at time.Time) {
	n.at, n.scope = at, s
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.place(n) {
		n.timer = time.AfterFunc(time.Until(at), n.end)
		return
	}
	if d.first == n {
		d.wind()
	}
}

// place puts n behind the last that is not later; false where that is too far away.
func (d *Deadlines) place(n *Deadline) bool {
	if d.first == nil {
		n.in, n.next, n.prev, d.first = d, n, n, n
		return true
	}
	after := d.first.prev
	for range farthest {
		if !n.at.Before(after.at) {
			n.in, n.next, n.prev = d, after.next, after
			n.next.prev, after.next = n, n
			return true
		}
		if after == d.first { // n is the earliest
			n.in, n.next, n.prev, d.first = d, after, after.prev, n
			n.prev.next, after.prev = n, n
			return true
		}
		after = after.prev
	}
	return false
}

// wind makes the timer ring for the first one, where it would not before. d.mu is
// held.
func (d *Deadlines) wind() {
	at := d.first.at
	switch {
	case d.timer == nil:
		d.timer = time.AfterFunc(time.Until(at), d.ring)
	case d.rings.IsZero() || at.Before(d.rings):
		d.timer.Reset(time.Until(at))
	default:
		return
	}
	d.rings = at
}

// Remove takes n out: the scope that it was added with is not ended by it any more,
// unless that happens just now.
func (d *Deadlines) Remove(n *Deadline) {
	if n.timer != nil {
		n.timer.Stop()
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(n)
}

// drop is Remove. d.mu is held.
func (d *Deadlines) drop(n *Deadline) {
	if n.in == nil {
		return
	}
	switch {
	case n.next == n:
		d.first = nil
	case d.first == n:
		d.first = n.next
	}
	n.prev.next, n.next.prev = n.next, n.prev
	n.in, n.next, n.prev = nil, nil, nil
}

func (d *Deadlines) ring() {
	now := time.Now()
	var over []*Deadline
	d.mu.Lock()
	d.rings = time.Time{}
	for d.first != nil && !d.first.at.After(now) {
		n := d.first
		d.drop(n)
		over = append(over, n)
	}
	if d.first != nil {
		d.wind()
	}
	d.mu.Unlock()
	for _, n := range over {
		n.end()
	}
}

func (n *Deadline) end() {
	if n.expires {
		n.scope.expire()
	} else {
		n.scope.Cancel(n.cause)
	}
}
