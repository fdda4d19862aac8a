// Package lifecycle starts the parts of a process in order, says whether they
// are ready, and stops them in reverse.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// ErrStopping is why work is cancelled that outlasts the drain of its process.
// Parts of the process see it as the cause of a context, those behind a wire see
// a plain cancellation: both read the same.
var ErrStopping = fmt.Errorf("the process stops: %w", context.Canceled)

// Component is one part of a process. Nil functions do nothing.
type Component struct {
	// Name tells parts apart, for errors and readiness.
	Name string
	// Start begins and returns once the part can be used. What it starts lives
	// until Close, not until ctx is done.
	Start func(ctx context.Context) error
	// Ready says why the part cannot serve now, or nil.
	Ready func(ctx context.Context) error
	// Drain stops taking new work and waits for the work under way, until ctx
	// is done; then it ends that work and returns.
	Drain func(ctx context.Context) error
	// Close ends everything and waits for it. Called once, after Drain. A part
	// with Start is closed only if Start was called; a part without one is
	// closed in any case, for it was open when it was added.
	Close func() error
}

// Group is parts in order: each may use those before it. Add all before Start.
type Group struct {
	components []Component
	started    int
	serving    atomic.Bool
}

// Add puts a part at the end.
func (g *Group) Add(c Component) { g.components = append(g.components, c) }

// Start starts the parts in order. When one fails, it and those before it are
// closed in reverse, as are those that were open when they were added, and the
// error names the part.
func (g *Group) Start(ctx context.Context) error {
	for i, c := range g.components {
		g.started = i + 1
		if c.Start == nil {
			continue
		}
		if err := c.Start(ctx); err != nil {
			err = fmt.Errorf("%s: %w", c.Name, err)
			return errors.Join(err, g.close())
		}
	}
	g.serving.Store(true)
	return nil
}

// Status is the readiness of one part.
type Status struct {
	// Name is the part's.
	Name string
	// Err says why it is not ready; nil when it is.
	Err error
}

// ErrNotServing is the status of a group that has not started or is stopping.
var ErrNotServing error = fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN, "starting or stopping")

// Ready returns the state of every part, in order. Before Start has returned and
// after Shutdown was called, every part is ErrNotServing.
func (g *Group) Ready(ctx context.Context) []Status {
	out := make([]Status, 0, len(g.components))
	for _, c := range g.components {
		s := Status{Name: c.Name}
		switch {
		case !g.serving.Load():
			s.Err = ErrNotServing
		case c.Ready != nil:
			s.Err = c.Ready(ctx)
		}
		out = append(out, s)
	}
	return out
}

// Leave makes the group not ready, without stopping anything yet, so that
// whoever balances load goes elsewhere first.
func (g *Group) Leave() { g.serving.Store(false) }

// Shutdown drains the parts in reverse, one after the other, all within drain;
// then it closes them in reverse. It goes on after errors and returns them all.
func (g *Group) Shutdown(drain context.Context) error {
	g.serving.Store(false)
	var errs []error
	for i := g.started - 1; i >= 0; i-- {
		if c := g.components[i]; c.Drain != nil {
			if err := c.Drain(drain); err != nil {
				errs = append(errs, fmt.Errorf("%s: drain: %w", c.Name, err))
			}
		}
	}
	return errors.Join(append(errs, g.close())...)
}

// Abandon closes what was added to a group that will not be started.
func (g *Group) Abandon() error { return g.close() }

func (g *Group) close() error {
	var errs []error
	for i := len(g.components) - 1; i >= 0; i-- {
		if c := g.components[i]; c.Close != nil && (c.Start == nil || i < g.started) {
			if err := c.Close(); err != nil {
				errs = append(errs, fmt.Errorf("%s: close: %w", c.Name, err))
			}
		}
	}
	g.components, g.started = nil, 0
	return errors.Join(errs...)
}
