package sqlite

import (
	"context"
	"fmt"
	"sync"

	"github.com/gptmesh/gptmesh/pkg/durable"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

// write is one write of a session, under way. What is built on a session waits for
// its last one, so that none is kept that stands on one that is not. It implements
// durable.Write.
type write struct {
	memory *memory
	id     string
	later  *sqlite.Later

	mu   sync.Mutex
	done bool   // durable
	by   *write // what stands in its place
}

// state says whether it is durable, as somebody has found out, and what stands in its
// place.
func (w *write) state() (done bool, by *write) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.done, w.by
}

// Wait implements durable.Write.
func (w *write) Wait(ctx context.Context) error {
	switch done, by := w.state(); {
	case done:
		return nil
	case by != nil:
		return by.Wait(ctx)
	}
	err := w.later.Wait(ctx)
	if err != nil && ctx.Err() != nil {
		return err
	}
	if err != nil {
		w.memory.forget(w)
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	w.mu.Lock()
	by := w.by
	w.done = by == nil
	w.mu.Unlock()
	if by != nil { // meanwhile, and then it says what became of this one
		return by.Wait(ctx)
	}
	return nil
}

// Written implements durable.Write.
func (w *write) Written(ctx context.Context) error {
	switch done, by := w.state(); {
	case done:
		return nil
	case by != nil:
		return by.Written(ctx)
	}
	return w.later.Written(ctx)
}

// replaced says that another write stands in the place of this one.
func (w *write) replaced(by *write) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.by = by
}

// settled says whether it is durable, as somebody has found out.
func (w *write) settled() bool {
	done, _ := w.state()
	return done
}

// join leaves the waiting to the group in ctx, or waits where there is none, though
// ctx ends.
func (w *write) join(ctx context.Context) error {
	if g := durable.From(ctx); g != nil {
		g.Add(w)
		return nil
	}
	return w.Wait(context.WithoutCancel(ctx))
}
