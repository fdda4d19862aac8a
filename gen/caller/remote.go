package caller

import (
	"context"
	"errors"
	"io"

	"github.com/gptmesh/gptmesh/gen/scope"
	"google.golang.org/grpc"
)

// RemoteUnary makes a unary call over conn.
func RemoteUnary[Resp, Req any](ctx context.Context, conn grpc.ClientConnInterface, method string, req *Req) (*Resp, error) {
	resp := new(Resp)
	if err := conn.Invoke(ctx, method, req, resp, grpc.StaticMethod()); err != nil {
		return nil, err
	}
	return resp, nil
}

// RemoteStream makes a server-streaming call over conn and pushes what comes
// into sink. All messages are received into one value; what they point to is new
// each time, see Keeping.
func RemoteStream[Req, Resp any](ctx context.Context, conn grpc.ClientConnInterface, desc *grpc.StreamDesc, method string,
	req *Req, sink func(*Resp) error,
) error {
	granted(ctx)
	var within scope.Scope
	within.Start(ctx)
	defer within.Cancel(nil)
	stream, err := conn.NewStream(&within, desc, method, grpc.StaticMethod())
	if err != nil {
		return err
	}
	// io.EOF from a send means that the stream has ended: its status comes from
	// the receive.
	if err := stream.SendMsg(req); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	message := new(Resp)
	for {
		if err := stream.RecvMsg(message); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := sink(message); err != nil {
			return err
		}
	}
}

// RemoteUpload makes a client-streaming call over conn and sends what it pulls
// out of source, until that returns io.EOF. Another error of source ends the
// call, which returns it.
func RemoteUpload[Resp, Req any](ctx context.Context, conn grpc.ClientConnInterface, desc *grpc.StreamDesc, method string,
	source func() (*Req, error),
) (*Resp, error) {
	var within scope.Scope
	within.Start(ctx)
	defer within.Cancel(nil)
	stream, err := conn.NewStream(&within, desc, method, grpc.StaticMethod())
	if err != nil {
		return nil, err
	}
	for {
		req, err := source()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := stream.SendMsg(req); errors.Is(err, io.EOF) {
			break // the stream has ended: the receive has its answer or status
		} else if err != nil {
			return nil, err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	resp := new(Resp)
	if err := stream.RecvMsg(resp); err != nil {
		return nil, err
	}
	return resp, nil
}
