package rpc

import (
	"context"

	"google.golang.org/grpc/metadata"
)

// Metadata keys that rooms and clients send.
const (
	// RequestIDKey carries the request id; also in the answer's header.
	RequestIDKey = "x-request-id"
	// AuthorizationKey and APIKeyKey carry a client's key.
	AuthorizationKey = "authorization"
	APIKeyKey        = "x-api-key"
	// secretKey carries the mesh secret of another room.
	secretKey = "gptmesh-mesh-secret"
	// principalKey carries whom another room acts for. Taken from rooms only.
	principalKey = "gptmesh-principal"
	// depthKey carries how deep calls are nested.
	depthKey = "gptmesh-depth"
)

func first(ctx context.Context, key string) string {
	if values := metadata.ValueFromIncomingContext(ctx, key); len(values) > 0 {
		return values[0]
	}
	return ""
}
