package caller

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Unary is one unary RPC of a server in this process.
type Unary[Req, Resp any] struct {
	call    func(context.Context, *Req) (*Resp, error)
	chained grpc.UnaryHandler // nil without interceptors
}

// NewUnary binds a server's method.
func NewUnary[Req, Resp any](m Method, call func(context.Context, *Req) (*Resp, error)) Unary[Req, Resp] {
	u := Unary[Req, Resp]{call: call}
	if m.Chain != nil && len(m.Chain.Unary) > 0 {
		info := &grpc.UnaryServerInfo{Server: m.Server, FullMethod: m.FullMethod}
		u.chained = m.Chain.unary(info, func(ctx context.Context, req any) (any, error) {
			return call(ctx, req.(*Req))
		})
	}
	return u
}

// Call makes the call on the caller's goroutine.
func (u *Unary[Req, Resp]) Call(ctx context.Context, req *Req) (*Resp, error) {
	if err := ctx.Err(); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	resp, err := u.serve(incoming(ctx), cloned(req))
	if err != nil {
		return nil, statusOf(ctx, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	if resp == nil {
		return nil, status.Error(codes.Internal, "the server returned neither a response nor an error")
	}
	return cloned(resp), nil
}

func (u *Unary[Req, Resp]) serve(ctx context.Context, req *Req) (*Resp, error) {
	if u.chained == nil {
		return u.call(ctx, req)
	}
	resp, err := u.chained(ctx, req)
	if err != nil {
		return nil, err
	}
	typed, _ := resp.(*Resp)
	return typed, nil
}
