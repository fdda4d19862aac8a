// Package callctx holds what a call carries through the mesh beside its
// message: who asks, under which request id, how deep calls are nested. It is
// one context value; the interceptors of package rpc move it over a wire.
package callctx

import (
	"context"

	"github.com/gptmesh/gptmesh/gen/scope"
)

// Kind says what sort of principal asks.
type Kind uint8

const (
	// Anonymous has shown no credentials.
	Anonymous Kind = iota
	// Local is whoever reaches a mesh without keys over a loopback address.
	Local
	// Key has shown an API key.
	Key
	// Room is a room of the mesh acting for itself.
	Room
)

// Principal is who asks.
type Principal struct {
	// ID is stable and not secret: "local", "key:1f6b…", "room:request". Rows
	// that belong to a principal carry it as their owner.
	ID string
	// Kind is its sort.
	Kind Kind
	// Internal says that another room of the mesh made the call; ID is then
	// whoever that room acts for.
	Internal bool
}

// Call is what a call carries. The zero value is an anonymous outermost call.
type Call struct {
	// RequestID is the id under which logs and traces of all rooms stand
	// together. Chosen by the client or at the edge.
	RequestID string
	// Principal is who asks.
	Principal Principal
	// Depth counts calls of the mesh that came from the mesh's own answers.
	Depth int
}

type key struct{}

// With returns ctx carrying call in the place of what it carried.
func With(ctx context.Context, call Call) context.Context {
	c := &carried{call: call}
	return c.With(ctx, key{}, &c.call)
}

// carried is a call with the context that it is the value of.
type carried struct {
	scope.Valued
	call Call
}

// From returns what ctx carries, or the zero Call.
func From(ctx context.Context) Call {
	if call, ok := ctx.Value(key{}).(*Call); ok {
		return *call
	}
	return Call{}
}

// Owner returns the ID of the principal that asks; "local" where there is none.
func (c Call) Owner() string {
	if c.Principal.ID != "" {
		return c.Principal.ID
	}
	return "local"
}

// Owner is the Owner of what ctx carries.
func Owner(ctx context.Context) string { return From(ctx).Owner() }
