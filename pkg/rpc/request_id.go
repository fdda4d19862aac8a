package rpc

import (
	"context"

	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// maxRequestID bounds the request ids that are taken from clients.
const maxRequestID = 128

// RequestID takes the caller's request id or makes one, puts it into the call
// context and into the answer's header.
func RequestID() Interceptor {
	return Interceptor{Name: "request_id", Wrap: func(ctx context.Context, _ *Method, next func(context.Context) error) error {
		id := first(ctx, RequestIDKey)
		if !ValidRequestID(id) {
			id = ids.New("rid")
		}
		// Failing to set a header is no reason to fail the call.
		_ = grpc.SetHeader(ctx, metadata.Pairs(RequestIDKey, id))
		ctx = callctx.With(ctx, callctx.Call{RequestID: id})
		return next(context.WithValue(ctx, recordKey{}, &record{}))
	}}
}

// ValidRequestID says whether a client's request id is taken as it is: 1 to 128
// printable ASCII characters without a space.
func ValidRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// record is what inner interceptors tell outer ones.
type record struct{ principal string }

type recordKey struct{}

func recordOf(ctx context.Context) *record {
	r, _ := ctx.Value(recordKey{}).(*record)
	return r
}
