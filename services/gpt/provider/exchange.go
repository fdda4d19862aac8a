package provider

import (
	"context"

	"github.com/gptmesh/gptmesh/gen/scope"
	"github.com/gptmesh/gptmesh/pkg/upstream"
)

// Exchange is what the room wants to know of one call's exchange with the
// provider. Adapters get it by the call's context; package transport serves it.
type Exchange interface {
	// Ready is called when a connection to the provider is there and before the
	// first byte of the request is written to it. It may wait; an error ends the
	// call, which then was not sent.
	Ready() error
	// Answered is called with every answer's status and headers, which are lent
	// for the duration of the call.
	Answered(status int, header upstream.Header)
}

type exchangeKey struct{}

// WithExchange returns ctx carrying e, which in is made to be: it may lie in what
// e is.
func WithExchange(ctx context.Context, e Exchange, in *scope.Valued) context.Context {
	return in.With(ctx, exchangeKey{}, e)
}

// ExchangeOf returns what ctx carries, or nil.
func ExchangeOf(ctx context.Context) Exchange {
	e, _ := ctx.Value(exchangeKey{}).(Exchange)
	return e
}
