package groupcommit

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	waiting int32 = iota
	started
	dropped
)

// call is one queued function and its answer.
type call[T any] struct {
	ctx   context.Context
	fn    func(context.Context, T) error
	one   bool // a failure of fn changes nothing
	state atomic.Int32
	done  chan struct{} // gets one signal, when the call is answered
	err   error         // written before done
}

// take moves the call from waiting to state; false when it waits no longer.
func (p *call[T]) take(state int32) bool { return p.state.CompareAndSwap(waiting, state) }

func (p *call[T]) answer(err error) {
	p.err = err
	p.done <- struct{}{}
}

// run runs the function and turns a panic into an error.
func (p *call[T]) run(owner any, tx T) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return p.fn(runningContext{values: p.ctx, owner: owner}, tx)
}

// runningContext is the context of a call that has begun: it keeps the
// caller's values and neither ends nor expires, since a call that has begun
// shares its transaction with others.
type runningContext struct {
	values context.Context
	owner  any
}

type ownerKey struct{}

func (runningContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (runningContext) Done() <-chan struct{}       { return nil }
func (runningContext) Err() error                  { return nil }

func (c runningContext) Value(key any) any {
	if key == (ownerKey{}) {
		return c.owner
	}
	return c.values.Value(key)
}
