package groupcommit

import (
	"context"
	"sync"
	"sync/atomic"
)

// Defaults of [Config].
const (
	DefaultMaxBatch = 128
	DefaultQueue    = 1024
)

// Config bounds a [Committer].
type Config struct {
	// MaxBatch is the largest number of calls in one transaction.
	// Default DefaultMaxBatch.
	MaxBatch int
	// Queue is the number of calls that may wait for their turn; further
	// callers block. Default DefaultQueue.
	Queue int
}

// Stats counts what a [Committer] has done since it was made.
type Stats struct {
	// Batches is the number of transactions committed.
	Batches uint64
	// Writes is the number of calls those transactions held.
	Writes uint64
	// Queued is the number of calls waiting now.
	Queued int
}

// Committer runs calls in shared transactions. It is safe for concurrent use.
type Committer[T any] struct {
	engine   Engine[T]
	maxBatch int
	queue    chan *call[T]
	calls    sync.Pool // of answered calls
	close    sync.Once
	closing  chan struct{} // closed by Close: no more calls
	stopped  chan struct{} // closed by the loop: no more answers

	batches, writes atomic.Uint64

	// Owned by the loop.
	tx      T
	open    bool
	current *call[T]
	kept    []*call[T] // ran well in the open transaction, not yet answered
}

// New starts a Committer over engine. Close must be called to end its
// goroutine.
func New[T any](engine Engine[T], cfg Config) *Committer[T] {
	if cfg.MaxBatch <= 0 {
		cfg.MaxBatch = DefaultMaxBatch
	}
	if cfg.Queue <= 0 {
		cfg.Queue = DefaultQueue
	}
	c := &Committer[T]{
		engine:   engine,
		maxBatch: cfg.MaxBatch,
		queue:    make(chan *call[T], cfg.Queue),
		closing:  make(chan struct{}),
		stopped:  make(chan struct{}),
	}
	go c.loop()
	return c
}

// Do runs fn in a transaction shared with concurrent calls and returns nil
// only after the transaction is committed. fn runs once, or not at all.
//
// When fn returns an error or panics, its own changes are undone and Do
// returns that error (a [PanicError] for a panic); other calls are not hurt.
// When the commit fails, every call of the batch gets the commit's error.
//
// A ctx that ends before fn's turn takes the call out of the queue. Once fn
// has begun it runs to its end and Do waits for the answer: the context given
// to fn carries ctx's values, never its end. fn must not call Do of the same
// Committer.
func (c *Committer[T]) Do(ctx context.Context, fn func(ctx context.Context, tx T) error) error {
	return c.do(ctx, fn, false)
}

// DoOne is Do for a fn that has changed nothing where it returns an error, as a
// single statement has: it costs no savepoint. A panic of fn ends the whole
// batch.
func (c *Committer[T]) DoOne(ctx context.Context, fn func(ctx context.Context, tx T) error) error {
	return c.do(ctx, fn, true)
}

func (c *Committer[T]) do(ctx context.Context, fn func(ctx context.Context, tx T) error, one bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ctx.Value(ownerKey{}) == any(c) {
		return ErrNested
	}
	select {
	case <-c.closing:
		return ErrClosed
	default:
	}
	p, _ := c.calls.Get().(*call[T])
	if p == nil {
		p = &call[T]{done: make(chan struct{}, 1)}
	}
	p.ctx, p.fn, p.one = ctx, fn, one
	select {
	case c.queue <- p:
	case <-c.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-p.done:
		return c.answered(p)
	case <-ctx.Done():
		if p.take(dropped) {
			return ctx.Err()
		}
	case <-c.stopped:
		if p.take(dropped) {
			return ErrClosed
		}
	}
	<-p.done
	return c.answered(p)
}

// answered returns the answer of a call that the loop has let go of, and keeps
// the call for reuse.
func (c *Committer[T]) answered(p *call[T]) error {
	err := p.err
	p.ctx, p.fn, p.err = nil, nil, nil
	p.state.Store(waiting)
	c.calls.Put(p)
	return err
}

// Stats returns the counters.
func (c *Committer[T]) Stats() Stats {
	s := Stats{Batches: c.batches.Load(), Writes: c.writes.Load(), Queued: len(c.queue)}
	select {
	case <-c.stopped:
		s.Queued = 0 // a call that came too late was refused, and left lying
	default:
	}
	return s
}

// Close refuses new calls, runs those already queued and returns when the
// last is answered. It may be called more than once.
func (c *Committer[T]) Close() {
	c.close.Do(func() { close(c.closing) })
	<-c.stopped
}
