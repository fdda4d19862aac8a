package rpc

import (
	"context"

	"github.com/gptmesh/gptmesh/pkg/ids"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// maxRequestID bounds the request ids that are taken from clients.
const maxRequestID = 128

// takeRequestID takes the caller's request id or makes one, and puts it into the
// answer's header.
func takeRequestID(ctx context.Context) string {
	id := first(ctx, RequestIDKey)
	if !ValidRequestID(id) {
		id = ids.New("rid")
	}
	// Failing to set a header is no reason to fail the call.
	_ = grpc.SetHeader(ctx, metadata.MD{RequestIDKey: {id}})
	return id
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
