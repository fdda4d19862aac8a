package caller

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Upload is one client-streaming RPC of a server in this process.
type Upload[Req, Resp any] struct {
	server  any
	chained grpc.StreamHandler
}

// NewUpload binds a server's method.
func NewUpload[Req, Resp any](m Method, call func(grpc.ClientStreamingServer[Req, Resp]) error) Upload[Req, Resp] {
	info := &grpc.StreamServerInfo{FullMethod: m.FullMethod, IsClientStream: true}
	handler := func(_ any, stream grpc.ServerStream) error {
		return call(&grpc.GenericServerStream[Req, Resp]{ServerStream: stream})
	}
	return Upload[Req, Resp]{server: m.Server, chained: m.Chain.stream(info, handler)}
}

// Call makes the call on the caller's goroutine and pulls what the server
// receives out of source, until that returns io.EOF. Another error of source
// ends the call, which returns it. A request is copied before source is called
// again. A server may answer before it has received everything.
func (u *Upload[Req, Resp]) Call(ctx context.Context, source func() (*Req, error)) (*Resp, error) {
	if err := ctx.Err(); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	inner, cancel := context.WithCancel(incoming(ctx))
	defer cancel()
	p := &pull[Req, Resp]{ctx: inner, cancel: cancel, source: source}
	err := u.chained(u.server, p)
	switch {
	case p.sourceErr != nil:
		return nil, p.sourceErr
	case err != nil:
		return nil, statusOf(ctx, err)
	case ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	case p.resp == nil:
		return nil, status.Error(codes.Internal, "the server returned neither a response nor an error")
	}
	return p.resp, nil
}

// pull is the server's side of a local upload: a receive is a call of the
// source.
type pull[Req, Resp any] struct {
	ctx       context.Context
	cancel    context.CancelFunc
	source    func() (*Req, error)
	sourceErr error
	ended     bool
	resp      *Resp
}

func (p *pull[Req, Resp]) Context() context.Context     { return p.ctx }
func (p *pull[Req, Resp]) SetHeader(metadata.MD) error  { return nil }
func (p *pull[Req, Resp]) SendHeader(metadata.MD) error { return nil }
func (p *pull[Req, Resp]) SetTrailer(metadata.MD)       {}

func (p *pull[Req, Resp]) SendMsg(m any) error {
	if err := p.ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	p.resp = cloned(m.(*Resp))
	return nil
}

func (p *pull[Req, Resp]) RecvMsg(m any) error {
	if err := p.ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	if p.ended {
		return io.EOF
	}
	req, err := p.source()
	switch {
	case errors.Is(err, io.EOF):
		p.ended = true
		return io.EOF
	case err != nil:
		p.sourceErr = err
		p.cancel()
		return status.Error(codes.Canceled, "the sender has left")
	}
	into := m.(proto.Message)
	proto.Reset(into)
	proto.Merge(into, any(req).(proto.Message))
	return nil
}
