package deferred

import (
	"sync"
	"time"
)

// Queue begins writes after one and the same delay, with one timer for all of
// them: most are skipped before. It is safe for concurrent use and needs no end.
type Queue struct {
	delay time.Duration

	mu    sync.Mutex
	list  []entry // in the order of their time
	timer *time.Timer
	runs  bool // the timer will ring
}

type entry struct {
	write *Write
	due   time.Time
}

// NewQueue returns a queue with a delay; without one writes begin at once.
func NewQueue(delay time.Duration) *Queue { return &Queue{delay: delay} }

// Later makes a write that begins after the delay. do is run by spawn, once or
// not at all; spawn must not wait for it. Exactly one of Start and Skip must be
// called in the end, so that nothing is left to the timer.
func (q *Queue) Later(spawn func(func()), do func() error) *Write {
	if q.delay <= 0 {
		return Now(spawn, do)
	}
	w := &Write{do: do, spawn: spawn}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append(q.list, entry{w, time.Now().Add(q.delay)})
	if !q.runs {
		q.wind(q.delay)
	}
	return w
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

// ring begins what is due.
func (q *Queue) ring() {
	q.mu.Lock()
	now, n := time.Now(), 0
	for n < len(q.list) && !q.list[n].due.After(now) {
		n++
	}
	var due []*Write
	for _, e := range q.list[:n] {
		if e.write.waits() {
			due = append(due, e.write)
		}
	}
	left := copy(q.list, q.list[n:])
	clear(q.list[left:])
	q.list = q.list[:left]
	if q.runs = left > 0; q.runs {
		q.wind(max(q.list[0].due.Sub(now), time.Millisecond))
	}
	q.mu.Unlock()
	for _, w := range due {
		w.Start()
	}
}

func (w *Write) waits() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state == waiting
}
