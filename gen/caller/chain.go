package caller

import (
	"context"

	"google.golang.org/grpc"
)

// Chain is the server interceptors that a local call passes through, outermost
// first. The zero value and nil are empty. It must not change once a caller
// was made with it.
type Chain struct {
	Unary  []grpc.UnaryServerInterceptor
	Stream []grpc.StreamServerInterceptor
}

func (c *Chain) unary(info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) grpc.UnaryHandler {
	if c == nil {
		return handler
	}
	for i := len(c.Unary) - 1; i >= 0; i-- {
		interceptor, next := c.Unary[i], handler
		handler = func(ctx context.Context, req any) (any, error) {
			return interceptor(ctx, req, info, next)
		}
	}
	return handler
}

func (c *Chain) stream(info *grpc.StreamServerInfo, handler grpc.StreamHandler) grpc.StreamHandler {
	if c == nil {
		return handler
	}
	for i := len(c.Stream) - 1; i >= 0; i-- {
		interceptor, next := c.Stream[i], handler
		handler = func(server any, stream grpc.ServerStream) error {
			return interceptor(server, stream, info, next)
		}
	}
	return handler
}

// Method names an RPC of a server in this process.
type Method struct {
	// Server is the service's implementation, for interceptors that ask.
	Server any
	// FullMethod is "/package.Service/Method".
	FullMethod string
	// Chain is what a call passes through. May be nil.
	Chain *Chain
}
