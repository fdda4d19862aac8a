package groupcommit

import (
	"errors"
	"fmt"
	"runtime"
)

// loop takes calls until Close and then what is left in the queue.
func (c *Committer[T]) loop() {
	ended := false
	defer func() {
		if ended {
			close(c.stopped)
			return
		}
		// A function left by runtime.Goexit, as a test's Fatal does, takes
		// this goroutine with it. Its batch is answered and another goroutine
		// goes on, or every later caller would wait for ever.
		c.abort(fmt.Errorf("%w: function ended its goroutine", ErrAborted))
		go c.loop()
	}()
	for {
		select {
		case p := <-c.queue:
			c.batch(p)
			continue
		default:
		}
		select {
		case p := <-c.queue:
			c.batch(p)
		case <-c.closing:
			for p := c.next(); p != nil; p = c.next() {
				c.batch(p)
			}
			ended = true
			return
		}
	}
}

// next returns a queued call, nil when there is none.
func (c *Committer[T]) next() *call[T] {
	select {
	case p := <-c.queue:
		return p
	default:
		return nil
	}
}

// join returns a call that can still share the open batch. Callers just
// answered are about to call again: they get the processor once, which nearly
// doubles the batches of a few busy writers and costs a lone one nothing.
func (c *Committer[T]) join() *call[T] {
	if p := c.next(); p != nil {
		return p
	}
	runtime.Gosched()
	return c.next()
}

// batch runs p and what is or becomes queued, then commits.
func (c *Committer[T]) batch(p *call[T]) {
	for n := 0; p != nil; p = c.join() {
		if p.take(started) {
			if !c.run(p) {
				return
			}
			n++
		}
		if n >= c.maxBatch {
			break
		}
	}
	c.commit()
}

// run runs one call; false when the batch is over because it broke.
func (c *Committer[T]) run(p *call[T]) bool {
	c.current = p
	if !c.open {
		tx, err := c.engine.Begin()
		if err != nil {
			c.refuse(err)
			return false
		}
		c.tx, c.open = tx, true
	}
	// The first call needs no savepoint: until another is kept, undoing it
	// is a rollback.
	if len(c.kept) == 0 {
		if err := p.run(c, c.tx); err != nil {
			c.engine.Rollback(c.tx)
			c.open = false
			c.finish(p, err)
			return true
		}
		c.keep(p)
		return true
	}
	if p.one {
		return c.runOne(p)
	}
	if err := c.engine.Savepoint(c.tx); err != nil {
		c.abort(fmt.Errorf("%w: %w", ErrAborted, err))
		return false
	}
	if err := p.run(c, c.tx); err != nil {
		undo := c.engine.RollbackTo(c.tx)
		c.finish(p, err)
		if undo != nil {
			c.abort(fmt.Errorf("%w: %w", ErrAborted, undo))
			return false
		}
		return true
	}
	if err := c.engine.Release(c.tx); err != nil {
		c.abort(fmt.Errorf("%w: %w", ErrAborted, err))
		return false
	}
	c.keep(p)
	return true
}

// runOne runs a call that needs no savepoint.
func (c *Committer[T]) runOne(p *call[T]) bool {
	err := p.run(c, c.tx)
	if err == nil {
		c.keep(p)
		return true
	}
	c.finish(p, err)
	if broken := (*PanicError)(nil); errors.As(err, &broken) {
		c.abort(fmt.Errorf("%w: %w", ErrAborted, err))
		return false
	}
	return true
}

func (c *Committer[T]) keep(p *call[T]) {
	c.current = nil
	c.kept = append(c.kept, p)
}

func (c *Committer[T]) finish(p *call[T], err error) {
	c.current = nil
	p.answer(err)
}

// commit ends the batch and answers those kept in it.
func (c *Committer[T]) commit() {
	if !c.open {
		return
	}
	err := c.engine.Commit(c.tx)
	c.open = false
	if err == nil {
		c.batches.Add(1)
		c.writes.Add(uint64(len(c.kept)))
	}
	c.answerKept(err)
}

// abort drops the open transaction and answers everyone in it with err.
func (c *Committer[T]) abort(err error) {
	if c.open {
		c.engine.Rollback(c.tx)
		c.open = false
	}
	if p := c.current; p != nil {
		c.finish(p, err)
	}
	c.answerKept(err)
}

// refuse answers the current call and a batch's worth of those queued: a
// transaction that cannot begin has often waited for a lock, and one wait per
// queued call would add up. Whoever calls when told so gets an attempt.
func (c *Committer[T]) refuse(err error) {
	for range c.maxBatch - 1 {
		p := c.next()
		if p == nil {
			break
		}
		if p.take(started) {
			c.kept = append(c.kept, p)
		}
	}
	c.finish(c.current, err)
	c.answerKept(err)
}

func (c *Committer[T]) answerKept(err error) {
	for i, p := range c.kept {
		c.kept[i] = nil
		p.answer(err)
	}
	c.kept = c.kept[:0]
}
