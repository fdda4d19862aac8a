package caller

import (
	"context"
	"errors"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// incoming is the context that a server sees: what was outgoing is incoming,
// what the caller itself had received is not passed on.
func incoming(ctx context.Context) context.Context {
	if out, ok := metadata.FromOutgoingContext(ctx); ok {
		ctx = metadata.NewIncomingContext(ctx, out)
		return metadata.NewOutgoingContext(ctx, nil)
	}
	if _, ok := metadata.FromIncomingContext(ctx); ok {
		return metadata.NewIncomingContext(ctx, nil)
	}
	return ctx
}

// statusOf makes a status error of what a server returned, as the wire would.
func statusOf(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil {
		if s, ok := status.FromError(err); ok && len(s.Details()) > 0 {
			return err // the server says more than the context does
		}
		return status.FromContextError(cause).Err()
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	return status.Convert(err).Err()
}
