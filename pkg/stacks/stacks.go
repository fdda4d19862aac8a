// Package stacks lends stacks: what needs a deep one for a moment runs on one that many
// share, so that thousands of goroutines which wait for most of their time keep small
// ones.
package stacks

import (
	"iter"
	"sync"
)

// mostIdle is how many stacks are kept.
const mostIdle = 32

// Work is what runs on a lent stack.
type Work interface{ Run() }

// Func is work that is a function.
type Func func()

// Run implements Work.
func (f Func) Run() { f() }

// Pool lends stacks. The zero value is one, and so is nil, which lends none. Close must be
// called.
type Pool struct {
	mu     sync.Mutex
	idle   []*stack // the last used is the last
	closed bool
}

// stack is a coroutine that runs what it is given.
type stack struct {
	work Work
	next func() (struct{}, bool)
	stop func()
}

func newStack() *stack {
	s := new(stack)
	s.next, s.stop = iter.Pull(func(yield func(struct{}) bool) {
		for more := true; more; more = yield(struct{}{}) {
			s.work.Run()
			s.work = nil
		}
	})
	return s
}

// Do runs work on a lent stack and returns when it has. It is work's caller in every other
// way: whatever work waits for, its caller does, and its panics are the caller's.
func (p *Pool) Do(work Work) {
	if p == nil {
		work.Run()
		return
	}
	s := p.take()
	s.work = work
	s.next() // where it panics, the coroutine has ended
	p.keep(s)
}

func (p *Pool) take() *stack {
	p.mu.Lock()
	if last := len(p.idle) - 1; last >= 0 {
		s := p.idle[last]
		p.idle = p.idle[:last]
		p.mu.Unlock()
		return s
	}
	p.mu.Unlock()
	return newStack()
}

func (p *Pool) keep(s *stack) {
	p.mu.Lock()
	kept := !p.closed && len(p.idle) < mostIdle
	if kept {
		p.idle = append(p.idle, s)
	}
	p.mu.Unlock()
	if !kept {
		s.stop()
	}
}

// Close ends the stacks that are not lent; those that are end when they are given back.
func (p *Pool) Close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, s := range idle {
		s.stop()
	}
}
