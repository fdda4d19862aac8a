package rpc

import (
	"context"
	"errors"
	"testing"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// plainStream is a stream that receives one message.
type plainStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *plainStream) Context() context.Context { return s.ctx }
func (s *plainStream) RecvMsg(any) error        { return nil }

const watch = sessionv1.SessionService_WatchSession_FullMethodName

// serve passes a stream through interceptors to a handler.
func serve(t testing.TB, stream grpc.ServerStream, handler grpc.StreamHandler, interceptors ...Interceptor) func() error {
	t.Helper()
	policies, err := LoadPolicies()
	if err != nil {
		t.Fatal(err)
	}
	chain, err := NewChain(policies, interceptors...)
	if err != nil {
		t.Fatal(err)
	}
	info := &grpc.StreamServerInfo{FullMethod: watch, IsServerStream: true}
	for i := len(chain.Stream) - 1; i >= 0; i-- {
		interceptor, next := chain.Stream[i], handler
		handler = func(server any, stream grpc.ServerStream) error { return interceptor(server, stream, info, next) }
	}
	return func() error { return handler(nil, stream) }
}

type marker struct{}

func TestStreamPassesUnwrappedWhereNothingChanges(t *testing.T) {
	t.Parallel()
	plain := Interceptor{Name: "plain", Wrap: func(ctx context.Context, _ *Method, next func(context.Context) error) error { return next(ctx) }}
	marks := Interceptor{Name: "marks", Wrap: func(ctx context.Context, _ *Method, next func(context.Context) error) error {
		return next(context.WithValue(ctx, marker{}, 1))
	}}
	errRefused := errors.New("refused")
	refuses := Interceptor{Name: "refuses", Check: func(ctx context.Context, m *Method, _ proto.Message) error {
		if ctx.Value(marker{}) == nil || m.Full != watch {
			t.Errorf("the check got %v of %s", ctx.Value(marker{}), m.Full)
		}
		return errRefused
	}}
	stream := &plainStream{ctx: t.Context()}
	if err := serve(t, stream, func(_ any, got grpc.ServerStream) error {
		if got != grpc.ServerStream(stream) {
			t.Errorf("the stream was wrapped: %T", got)
		}
		return nil
	}, plain)(); err != nil {
		t.Error(err)
	}
	if err := serve(t, stream, func(_ any, got grpc.ServerStream) error {
		if got.Context().Value(marker{}) == nil {
			t.Error("the context was lost")
		}
		return got.RecvMsg(&sessionv1.WatchSessionRequest{})
	}, plain, marks, refuses)(); !errors.Is(err, errRefused) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkLocalChain(b *testing.B) {
	pass := func(ctx context.Context, _ *Method, next func(context.Context) error) error { return next(ctx) }
	call := serve(b, &plainStream{ctx: b.Context()}, func(any, grpc.ServerStream) error { return nil },
		Interceptor{Name: "one", Wrap: pass}, Interceptor{Name: "two", Wrap: pass})
	b.ReportAllocs()
	for b.Loop() {
		if err := call(); err != nil {
			b.Fatal(err)
		}
	}
}
