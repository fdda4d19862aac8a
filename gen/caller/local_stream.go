package caller

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/gptmesh/gptmesh/gen/scope"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Stream is one server-streaming RPC of a server in this process.
type Stream[Req, Resp any] struct {
	server  any
	chained grpc.StreamHandler
}

// NewStream binds a server's method.
func NewStream[Req, Resp any](m Method, call func(*Req, grpc.ServerStreamingServer[Resp]) error) Stream[Req, Resp] {
	info := &grpc.StreamServerInfo{FullMethod: m.FullMethod, IsServerStream: true}
	handler := func(_ any, stream grpc.ServerStream) error {
		if p, ok := stream.(*push[Req, Resp]); ok { // no interceptor stands between
			return call(p.req, &p.stream)
		}
		// The request is received like on a wire, so that interceptors see it;
		// push recognises its own pointer, and nothing is copied.
		req := stream.Context().Value(requestKey{}).(*Req)
		if err := stream.RecvMsg(req); err != nil {
			return err
		}
		return call(req, &grpc.GenericServerStream[Req, Resp]{ServerStream: stream})
	}
	return Stream[Req, Resp]{server: m.Server, chained: m.Chain.stream(info, handler)}
}

// requestKey finds a local stream's request in its context, through whatever
// interceptors wrapped around the stream.
type requestKey struct{}

// Call makes the call on the caller's goroutine and pushes what the server
// sends into sink.
func (s *Stream[Req, Resp]) Call(ctx context.Context, req *Req, sink func(*Resp) error) error {
	if err := ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	p := &push[Req, Resp]{req: cloned(req), sink: sink}
	p.stream.ServerStream = p
	p.Start(incoming(ctx))
	defer p.Cancel(nil)
	err := s.chained(s.server, p)
	if p.sinkErr != nil {
		return p.sinkErr
	}
	if err != nil {
		return statusOf(ctx, err)
	}
	if err := ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	return nil
}

// push is the server's side of a local stream, and its context: a send is a call
// of the sink.
type push[Req, Resp any] struct {
	scope.Scope
	stream  grpc.GenericServerStream[Req, Resp]
	req     *Req
	sink    func(*Resp) error
	sinkErr error
	broken  atomic.Bool
}

func (p *push[Req, Resp]) Context() context.Context { return p }

// Value implements context.Context.
func (p *push[Req, Resp]) Value(key any) any {
	switch key {
	case requestKey{}:
		return p.req
	case keepingKey{}: // the caller's, and not for what the server calls
		return nil
	}
	return p.Scope.Value(key)
}

func (p *push[Req, Resp]) SetHeader(metadata.MD) error  { return nil }
func (p *push[Req, Resp]) SendHeader(metadata.MD) error { return nil }
func (p *push[Req, Resp]) SetTrailer(metadata.MD)       {}

func (p *push[Req, Resp]) SendMsg(m any) error {
	if p.broken.Load() {
		return status.Error(codes.Canceled, "the receiver has left")
	}
	if err := p.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	message := cloned(m.(*Resp))
	err := p.sink(message)
	wipe(message)
	if err != nil {
		p.sinkErr = err
		p.broken.Store(true)
		p.Cancel(nil)
		return status.Error(codes.Canceled, "the receiver has left")
	}
	return nil
}

func (p *push[Req, Resp]) RecvMsg(m any) error {
	if req, ok := m.(*Req); ok && req == p.req {
		return nil
	}
	return io.EOF
}
