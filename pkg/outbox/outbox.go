// Package outbox lets a call of a store carry what is to be told of it: the
// record goes into the table outbox in the transaction of the change, and
// nowhere where nothing is changed. A store knows nothing of it; its database
// does (pkg/sqlite, pkg/postgres).
package outbox

import (
	"context"

	"github.com/gptmesh/gptmesh/gen/scope"
)

type key struct{}

// carried is what a context carries: a record made before the call, or one that
// grows while a transaction runs.
type carried struct {
	scope.Valued
	record []byte
	open   bool
}

// With returns ctx for one call of a store that makes one change, with the
// record of what it does. Empty returns ctx itself.
func With(ctx context.Context, record []byte) context.Context {
	if len(record) == 0 {
		return ctx
	}
	return new(Place).With(ctx, record)
}

// Place is where the context that With returns lies: within the struct that it
// belongs to it costs nothing.
type Place struct{ carried carried }

// With is the With of the package. It is called once.
func (p *Place) With(ctx context.Context, record []byte) context.Context {
	if len(record) == 0 {
		return ctx
	}
	p.carried.record = record
	return p.carried.With(ctx, key{}, &p.carried)
}

// Open returns ctx for one transaction whose record is made within it, by Add.
func Open(ctx context.Context) context.Context {
	c := &carried{open: true}
	return c.With(ctx, key{}, c)
}

// Add adds to the record of the transaction that ctx was opened for. Without
// Open, or with an empty record, it does nothing. It must be called by the
// function of the transaction only.
func Add(ctx context.Context, record []byte) {
	if c, ok := ctx.Value(key{}).(*carried); ok && c.open {
		c.record = append(c.record, record...)
	}
}

// Restart forgets what was added: the transaction runs, or runs again.
func Restart(ctx context.Context) {
	if c, ok := ctx.Value(key{}).(*carried); ok && c.open {
		c.record = c.record[:0]
	}
}

// From returns the record that ctx carries, nil where there is none.
func From(ctx context.Context) []byte {
	if c, ok := ctx.Value(key{}).(*carried); ok && len(c.record) > 0 {
		return c.record
	}
	return nil
}
