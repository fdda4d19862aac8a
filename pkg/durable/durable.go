// Package durable lets a caller wait once for all that was written on its
// behalf. A turn writes a few rows, in several rooms of one process; each is
// acknowledged when it is durable, and the end of the turn may not be shown before
// that, nor anything of it before they are written. Where the caller holds a [Group]
// in its context, a store may return from a write as soon as the write is in order,
// and leave the waiting to the group. Contexts do not cross a wire: a room of another
// process finds no group and waits for itself.
package durable

import (
	"context"
	"slices"
	"sync"

	"github.com/gptmesh/gptmesh/gen/scope"
)

// Write is a write that is under way. Its methods may be called more than once.
type Write interface {
	// Wait returns when the write is durable, or why it is not, or ctx's error.
	Wait(ctx context.Context) error

	// Written returns when the end of this process, however sudden, cannot take the
	// write any more; a loss of power may, until Wait has returned. Else it returns
	// why, or ctx's error.
	Written(ctx context.Context) error
}

// Group collects writes. It is safe for concurrent use. The zero value is
// ready.
type Group struct {
	place scope.Valued

	mu     sync.Mutex
	writes []Write
	room   [8]Write
	err    error
}

// Add leaves the waiting for w to the group.
func (g *Group) Add(w Write) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.writes == nil {
		g.writes = g.room[:0]
	}
	g.writes = append(g.writes, w)
}

// Wait returns when every write added so far is durable. One that failed is the
// answer of this call and of all later ones. A nil group has nothing to wait for.
func (g *Group) Wait(ctx context.Context) error {
	if g == nil {
		return nil
	}
	for {
		g.mu.Lock()
		if g.err != nil || len(g.writes) == 0 {
			err := g.err
			g.mu.Unlock()
			return err
		}
		// The newest is durable last, as a rule: the others need no waiting then.
		newest := len(g.writes) - 1
		w := g.writes[newest]
		g.mu.Unlock()
		err := w.Wait(ctx)
		if err != nil && ctx.Err() != nil {
			return err
		}
		g.mu.Lock()
		// Somebody else may have waited for the same one, or added to the group.
		if newest < len(g.writes) && g.writes[newest] == w {
			g.writes = slices.Delete(g.writes, newest, newest+1)
		}
		if err != nil && g.err == nil {
			g.err = err
		}
		g.mu.Unlock()
	}
}

// Written returns when every write added so far is written. They stay with the
// group: Wait tells what becomes of them. A write that failed is the answer of this
// call and of all later ones. A nil group has nothing to wait for.
func (g *Group) Written(ctx context.Context) error {
	if g == nil {
		return nil
	}
	var room [len(g.room)]Write
	g.mu.Lock()
	err, writes := g.err, append(room[:0], g.writes...)
	g.mu.Unlock()
	// Where the newest is written, the others are too, as a rule.
	for i := len(writes) - 1; i >= 0 && err == nil; i-- {
		if err = writes[i].Written(ctx); err == nil || ctx.Err() != nil {
			continue
		}
		g.mu.Lock()
		if g.err == nil {
			g.err = err
		}
		g.mu.Unlock()
	}
	return err
}

type key struct{}

// With returns a context whose writes join g. A nil g makes writes wait for
// themselves.
func With(ctx context.Context, g *Group) context.Context { return scope.WithValue(ctx, key{}, g) }

// In is With(ctx, g) for whoever made g: the context lies in it. It is called once.
func (g *Group) In(ctx context.Context) context.Context { return g.place.With(ctx, key{}, g) }

// From returns the context's group, nil where there is none.
func From(ctx context.Context) *Group {
	g, _ := ctx.Value(key{}).(*Group)
	return g
}
