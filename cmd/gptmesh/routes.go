package main

import (
	"context"
	"fmt"
	"net"
	"strings"

	"buf.build/go/protovalidate"
	"github.com/gptmesh/gptmesh/pkg/lifecycle"
	"github.com/gptmesh/gptmesh/pkg/rpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
)

// routes is one connection for all rooms: each call goes where its room is. The
// REST face uses it; requests are held to their rules here, for the rooms take
// the gateway's calls as checked.
type routes struct {
	conns     map[string]grpc.ClientConnInterface
	validator protovalidate.Validator
}

// newRoutes connects to the rooms elsewhere and, in memory, to those here.
func newRoutes(h *host) (*routes, error) {
	r := &routes{conns: map[string]grpc.ClientConnInterface{}, validator: h.validator}
	for name, conn := range h.conns {
		r.conns[name] = conn
	}
	listener := bufconn.Listen(1 << 20)
	conn, err := rpc.Dial(rpc.ClientConfig{
		Room: "local", Address: "passthrough:///local", TLS: h.settings.TLS, Secret: h.authenticator.OwnSecret(), Policies: h.policies,
		Dialer: func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) },
	})
	if err != nil {
		return nil, err
	}
	served := make(chan struct{})
	h.group.Add(lifecycle.Component{
		Name: "rest connection",
		Start: func(context.Context) error {
			go func() { defer close(served); _ = h.server.Serve(listener) }()
			return nil
		},
		Close: func() error {
			err := conn.Close()
			listener.Close()
			<-served
			return err
		},
	})
	for _, name := range h.rooms {
		r.conns[name] = conn
	}
	r.events(h, conn)
	return r, nil
}

// events finds the log of events: that of this process, or of one that it calls.
func (r *routes) events(h *host, here grpc.ClientConnInterface) {
	if h.events.service != nil {
		r.conns["event"] = here
		return
	}
	for _, room := range []string{"request", "response", "session", "gpt"} {
		if conn := h.conns[room]; conn != nil {
			r.conns["event"] = conn
			return
		}
	}
}

func (r *routes) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	conn, err := r.conn(method)
	if err != nil {
		return err
	}
	if err := rpc.Validate(r.validator, args.(proto.Message)); err != nil {
		return err
	}
	return conn.Invoke(ctx, method, args, reply, options...)
}

func (r *routes) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, options ...grpc.CallOption) (grpc.ClientStream, error) {
	conn, err := r.conn(method)
	if err != nil {
		return nil, err
	}
	stream, err := conn.NewStream(ctx, desc, method, options...)
	if err != nil {
		return nil, err
	}
	return &checkedStream{ClientStream: stream, validator: r.validator}, nil
}

// conn finds the room in "/gptmesh.room.v1.Service/Method".
func (r *routes) conn(method string) (grpc.ClientConnInterface, error) {
	room, _, _ := strings.Cut(strings.TrimPrefix(method, "/gptmesh."), ".")
	if conn, ok := r.conns[room]; ok {
		return conn, nil
	}
	return nil, fmt.Errorf("no room for %s", method)
}

type checkedStream struct {
	grpc.ClientStream
	validator protovalidate.Validator
}

func (s *checkedStream) SendMsg(m any) error {
	if err := rpc.Validate(s.validator, m.(proto.Message)); err != nil {
		return err
	}
	return s.ClientStream.SendMsg(m)
}
