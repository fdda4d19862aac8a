package deferred

import (
	"sync"
	"time"
)

// Queue begins writes after one and the same delay, with one timer for all of
// them: most are skipped before. Where many wait it begins several at a time, up to an
// eighth of the delay late. It is safe for concurrent use and needs no end.
type Queue struct {
	delay time.Duration

	mu          sync.Mutex
	first, last *Write // in the order of their time
	timer       *time.Timer
	runs        bool // the timer will ring, or what it has begun is under way
}

// NewQueue returns a queue with a delay; without one writes begin at once.
func NewQueue(delay time.Duration) *Queue { return &Queue{delay: delay} }

// Later makes w a write that begins after the delay. do is run by spawn, once or
// not at all; spawn does not wait for it, or is InPlace. Exactly one of Start and Skip must be
// called in the end, so that nothing is left to the timer.
func (q *Queue) Later(w *Write, spawn func(func()), do func() error) {
	if q.delay <= 0 {
		w.Now(spawn, do)
		return
	}
	w.state, w.do, w.spawn, w.queue, w.due = waiting, do, spawn, q, time.Now().Add(q.delay)
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.prev = q.last; w.prev != nil {
		w.prev.next = w
	} else {
		q.first = w
	}
	q.last = w
	if !q.runs {
		q.wind(q.delay)
	}
}

// drop takes a write out that does not wait any more.
func (q *Queue) drop(w *Write) {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.unlink(w)
}

// unlink takes a write out, if it is in. q.mu is held.
func (q *Queue) unlink(w *Write) {
	switch {
	case w.prev != nil:
		w.prev.next = w.next
	case q.first == w:
		q.first = w.next
	default:
		return // it was taken out before
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.last = w.prev
	}
	w.next, w.prev = nil, nil
}

// wind sets the timer. q.mu is held.
func (q *Queue) wind(after time.Duration) {
	q.runs = true
	if q.timer == nil {
		q.timer = time.AfterFunc(after, q.ring)
		return
	}
	q.timer.Reset(after)
}

// ring begins what is due. Those that were skipped before have left. While a write that
// begins in place is held up, the others wait: each can still be skipped or asked for.
func (q *Queue) ring() {
	q.mu.Lock()
	now := time.Now()
	var due []*Write
	for q.first != nil && !q.first.due.After(now) {
		due = append(due, q.first)
		q.unlink(q.first)
	}
	q.mu.Unlock()
	for _, w := range due {
		w.Start()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.runs = q.first != nil; q.runs {
		q.wind(max(time.Until(q.first.due), q.delay/8, time.Millisecond))
	}
}
