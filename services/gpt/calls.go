package gpt

import (
	"context"
	"errors"
	"sync"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/gen/scope"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// errStopping is the cause of calls that are ended because the process stops.
var errStopping = errors.New("the process stops")

// calls counts the calls under way and ends them when the room stops.
type calls struct {
	mu       sync.Mutex
	draining bool
	running  int
	idle     chan struct{} // closed when draining and nothing runs
	stop     *scope.Scope
	limits   scope.Deadlines
}

// admission is a call that was admitted, and its context.
type admission struct {
	scope.Scope
	calls *calls
	stop  scope.Hook
	until scope.Deadline
}

func (c *calls) init() {
	c.idle = make(chan struct{})
	c.stop = scope.WithCancel(context.Background())
}

// begin admits a call. Its context ends with errStopping when the room ends it;
// done must be called.
func (c *calls) begin(ctx context.Context) (*admission, error) {
	a := &admission{}
	if err := a.begin(c, ctx); err != nil {
		return nil, err
	}
	return a, nil
}

// begin is calls.begin for an admission that is part of something.
func (a *admission) begin(c *calls, ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining {
		return shuttingDown()
	}
	c.running++
	a.calls = c
	a.Start(ctx)
	a.stop.Bind(c.stop, &a.Scope)
	return nil
}

// limit ends the call at a time, with cause.
func (a *admission) limit(at time.Time, cause error) {
	a.calls.limits.Add(&a.until, &a.Scope, at, cause)
}

// done gives the call's place back.
func (a *admission) done() {
	c := a.calls
	c.limits.Remove(&a.until)
	a.stop.Stop()
	a.Cancel(nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	c.settle()
}

func (c *calls) settle() {
	if c.draining && c.running == 0 {
		select {
		case <-c.idle:
		default:
			close(c.idle)
		}
	}
}

func (c *calls) ready() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining {
		return shuttingDown()
	}
	return nil
}

// drain waits for the calls until ctx ends, then ends them and waits at most
// grace for their last words.
func (c *calls) drain(ctx context.Context, grace time.Duration) error {
	c.mu.Lock()
	c.draining = true
	c.settle()
	c.mu.Unlock()
	select {
	case <-c.idle:
		return nil
	default:
	}
	select {
	case <-c.idle:
		return nil
	case <-ctx.Done():
	}
	c.stop.Cancel(errStopping)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.idle:
		return nil
	case <-timer.C:
		return errors.New("gpt: calls are still under way")
	}
}

func shuttingDown() error {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN,
		"this process is shutting down", "room", "gpt")
}
