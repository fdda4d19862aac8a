package rpc

import (
	"context"
	"fmt"

	"github.com/gptmesh/gptmesh/gen/caller"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// Interceptor is one concern around a call, the same for unary calls and
// streams.
type Interceptor struct {
	// Name tells interceptors apart.
	Name string
	// Wrap calls next, with a context of its own where it needs to, and returns
	// what next returned or an error of its own. Nil does nothing.
	Wrap func(ctx context.Context, m *Method, next func(context.Context) error) error
	// Check looks at the request before the room does. Nil does nothing.
	Check func(ctx context.Context, m *Method, request proto.Message) error

	// around is Wrap for a stream whose context stays.
	around func(m *Method, server any, stream grpc.ServerStream, handler grpc.StreamHandler) error
}

// NewChain makes a gRPC chain of interceptors, outermost first, for methods of
// the table. Calls of infrastructure services pass untouched; calls of other
// methods without a row are refused by the server before it starts.
func NewChain(policies *Policies, interceptors ...Interceptor) (*caller.Chain, error) {
	chain := &caller.Chain{}
	seen := map[string]bool{}
	for _, i := range interceptors {
		if i.Name == "" || seen[i.Name] {
			return nil, fmt.Errorf("interceptor %q: names must be set and differ", i.Name)
		}
		if i.Wrap == nil && i.Check == nil {
			return nil, fmt.Errorf("interceptor %q: does nothing", i.Name)
		}
		seen[i.Name] = true
		chain.Unary = append(chain.Unary, i.unary(policies))
		chain.Stream = append(chain.Stream, i.stream(policies))
	}
	return chain, nil
}

func (i Interceptor) unary(policies *Policies) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		m, ok := policies.Method(info.FullMethod)
		if !ok {
			return handler(ctx, req)
		}
		var resp any
		next := func(ctx context.Context) error {
			if i.Check != nil {
				if message, ok := req.(proto.Message); ok {
					if err := i.Check(ctx, m, message); err != nil {
						return err
					}
				}
			}
			var err error
			resp, err = handler(ctx, req)
			return err
		}
		if i.Wrap == nil {
			err := next(ctx)
			return resp, err
		}
		err := i.Wrap(ctx, m, next)
		return resp, err
	}
}

func (i Interceptor) stream(policies *Policies) grpc.StreamServerInterceptor {
	if around := i.around; around != nil { // in a frame of its own, which is smaller
		return func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			m, ok := policies.Method(info.FullMethod)
			if !ok {
				return handler(server, stream)
			}
			return around(m, server, stream, handler)
		}
	}
	return func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		m, ok := policies.Method(info.FullMethod)
		if !ok {
			return handler(server, stream)
		}
		if i.Wrap == nil {
			return handler(server, &wrappedStream{ServerStream: stream, ctx: stream.Context(), method: m, check: i.Check})
		}
		own := stream.Context()
		next := func(ctx context.Context) error {
			if i.Check == nil && ctx == own {
				return handler(server, stream)
			}
			return handler(server, &wrappedStream{ServerStream: stream, ctx: ctx, method: m, check: i.Check})
		}
		return i.Wrap(own, m, next)
	}
}

// wrappedStream is a stream with another context and a look at its request.
type wrappedStream struct {
	grpc.ServerStream
	ctx    context.Context
	method *Method
	check  func(context.Context, *Method, proto.Message) error
}

func (s *wrappedStream) Context() context.Context { return s.ctx }

func (s *wrappedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if s.check == nil {
		return nil
	}
	if message, ok := m.(proto.Message); ok {
		return s.check(s.ctx, s.method, message)
	}
	return nil
}
