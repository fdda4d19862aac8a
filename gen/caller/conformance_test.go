package caller_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/gen/caller"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
)

// scripted is a server whose two methods are given by the test.
type scripted struct {
	sessionv1.UnimplementedSessionServiceServer
	get   func(context.Context, *sessionv1.GetSessionRequest) (*sessionv1.GetSessionResponse, error)
	watch func(*sessionv1.WatchSessionRequest, grpc.ServerStreamingServer[sessionv1.WatchSessionResponse]) error
}

func (s *scripted) GetSession(ctx context.Context, req *sessionv1.GetSessionRequest) (*sessionv1.GetSessionResponse, error) {
	return s.get(ctx, req)
}

func (s *scripted) WatchSession(req *sessionv1.WatchSessionRequest, stream grpc.ServerStreamingServer[sessionv1.WatchSessionResponse]) error {
	return s.watch(req, stream)
}

// transports are the ways to reach a server; all must behave alike.
var transports = map[string]func(*testing.T, *scripted, *caller.Chain) sessionv1.SessionServiceCaller{
	"local": func(_ *testing.T, server *scripted, chain *caller.Chain) sessionv1.SessionServiceCaller {
		return sessionv1.LocalSessionService(server, chain)
	},
	"memory": func(t *testing.T, server *scripted, chain *caller.Chain) sessionv1.SessionServiceCaller {
		listener := bufconn.Listen(1 << 20)
		return remote(t, server, chain, listener, "passthrough:///memory",
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	},
	"tcp": func(t *testing.T, server *scripted, chain *caller.Chain) sessionv1.SessionServiceCaller {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return remote(t, server, chain, listener, listener.Addr().String())
	},
}

func remote(t *testing.T, server *scripted, chain *caller.Chain, listener net.Listener, target string, options ...grpc.DialOption) sessionv1.SessionServiceCaller {
	t.Helper()
	g := grpc.NewServer(grpc.ChainUnaryInterceptor(chain.Unary...), grpc.ChainStreamInterceptor(chain.Stream...))
	sessionv1.RegisterSessionServiceServer(g, server)
	done := make(chan struct{})
	go func() { defer close(done); _ = g.Serve(listener) }()
	conn, err := grpc.NewClient(target, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); g.Stop(); <-done })
	return sessionv1.RemoteSessionService(conn)
}

// each runs a test over every transport.
func each(t *testing.T, server *scripted, chain *caller.Chain, test func(*testing.T, sessionv1.SessionServiceCaller)) {
	t.Helper()
	if chain == nil {
		chain = &caller.Chain{}
	}
	for name, connect := range transports {
		t.Run(name, func(t *testing.T) {
			test(t, connect(t, server, chain))
		})
	}
}

func TestUnaryAnswersAndErrors(t *testing.T) {
	t.Parallel()
	server := &scripted{get: func(_ context.Context, req *sessionv1.GetSessionRequest) (*sessionv1.GetSessionResponse, error) {
		switch req.GetSessionId() {
		case "status":
			return nil, status.Error(codes.NotFound, "gone")
		case "plain":
			return nil, errors.New("plain")
		case "context":
			return nil, context.DeadlineExceeded
		}
		return &sessionv1.GetSessionResponse{Session: &sessionv1.Session{Id: req.GetSessionId()}}, nil
	}}
	each(t, server, nil, func(t *testing.T, c sessionv1.SessionServiceCaller) {
		resp, err := c.GetSession(t.Context(), &sessionv1.GetSessionRequest{SessionId: "a"})
		if err != nil || resp.GetSession().GetId() != "a" {
			t.Fatalf("GetSession = %v, %v", resp, err)
		}
		for id, want := range map[string]codes.Code{"status": codes.NotFound, "plain": codes.Unknown, "context": codes.DeadlineExceeded} {
			if _, err := c.GetSession(t.Context(), &sessionv1.GetSessionRequest{SessionId: id}); status.Code(err) != want {
				t.Errorf("error %q: code %v, want %v", id, status.Code(err), want)
			}
		}
	})
}

func TestMetadataGoesOneHop(t *testing.T) {
	t.Parallel()
	server := &scripted{get: func(ctx context.Context, _ *sessionv1.GetSessionRequest) (*sessionv1.GetSessionResponse, error) {
		in, _ := metadata.FromIncomingContext(ctx)
		out, _ := metadata.FromOutgoingContext(ctx)
		title := strings.Join(in.Get("k"), ",") + "|" + strings.Join(in.Get("earlier"), ",") + "|" + fmt.Sprint(len(out.Get("k")))
		return &sessionv1.GetSessionResponse{Session: &sessionv1.Session{Title: title}}, nil
	}}
	each(t, server, nil, func(t *testing.T, c sessionv1.SessionServiceCaller) {
		// The context of a handler that received "earlier" and sends "k" on.
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("earlier", "x"))
		resp, err := c.GetSession(metadata.AppendToOutgoingContext(ctx, "k", "v"), &sessionv1.GetSessionRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := resp.GetSession().GetTitle(), "v||0"; got != want {
			t.Errorf("incoming k | incoming earlier | outgoing k = %q, want %q", got, want)
		}
	})
}

func TestCancelAndDeadlineReachTheServer(t *testing.T) {
	t.Parallel()
	server := &scripted{
		get: func(ctx context.Context, _ *sessionv1.GetSessionRequest) (*sessionv1.GetSessionResponse, error) {
			<-ctx.Done()
			return &sessionv1.GetSessionResponse{}, nil // an answer after the end does not count
		},
		watch: func(_ *sessionv1.WatchSessionRequest, stream grpc.ServerStreamingServer[sessionv1.WatchSessionResponse]) error {
			<-stream.Context().Done()
			return nil
		},
	}
	each(t, server, nil, func(t *testing.T, c sessionv1.SessionServiceCaller) {
		// On a wire each side has a clock of its own: now and then the server's runs out
		// first, and its answer comes before the client's does.
		var err error
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			_, err = c.GetSession(ctx, &sessionv1.GetSessionRequest{})
			cancel()
			if err != nil {
				break
			}
		}
		if status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("unary after its deadline: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go cancel()
		err = c.WatchSession(ctx, &sessionv1.WatchSessionRequest{}, func(*sessionv1.WatchSessionResponse) error { return nil })
		if status.Code(err) != codes.Canceled {
			t.Errorf("cancelled stream: %v", err)
		}
		if _, err := c.GetSession(ctx, &sessionv1.GetSessionRequest{}); status.Code(err) != codes.Canceled {
			t.Errorf("unary begun after the cancellation: %v", err)
		}
	})
}

func TestStreamIsPushedInOrder(t *testing.T) {
	t.Parallel()
	server := &scripted{watch: func(req *sessionv1.WatchSessionRequest, stream grpc.ServerStreamingServer[sessionv1.WatchSessionResponse]) error {
		for v := range req.GetAfterVersion() {
			if err := stream.Send(&sessionv1.WatchSessionResponse{Version: v}); err != nil {
				return err
			}
		}
		if req.GetSessionId() == "fail" {
			return status.Error(codes.Aborted, "enough")
		}
		return nil
	}}
	each(t, server, nil, func(t *testing.T, c sessionv1.SessionServiceCaller) {
		for _, id := range []string{"", "fail"} {
			var got []int64
			err := c.WatchSession(t.Context(), &sessionv1.WatchSessionRequest{SessionId: id, AfterVersion: 100}, func(m *sessionv1.WatchSessionResponse) error {
				got = append(got, m.GetVersion())
				return nil
			})
			want := codes.OK
			if id == "fail" {
				want = codes.Aborted
			}
			if status.Code(err) != want || len(got) != 100 {
				t.Fatalf("%q: %d messages, %v; want 100, %v", id, len(got), err, want)
			}
			for i, v := range got {
				if v != int64(i) {
					t.Fatalf("message %d has version %d", i, v)
				}
			}
		}
	})
}

func TestSinkErrorStopsTheProducer(t *testing.T) {
	t.Parallel()
	stopped := make(chan error, 1)
	server := &scripted{watch: func(_ *sessionv1.WatchSessionRequest, stream grpc.ServerStreamingServer[sessionv1.WatchSessionResponse]) error {
		for {
			if err := stream.Send(&sessionv1.WatchSessionResponse{}); err != nil {
				<-stream.Context().Done()
				stopped <- err
				return err
			}
		}
	}}
	each(t, server, nil, func(t *testing.T, c sessionv1.SessionServiceCaller) {
		enough := errors.New("enough")
		err := c.WatchSession(t.Context(), &sessionv1.WatchSessionRequest{}, func(*sessionv1.WatchSessionResponse) error { return enough })
		if !errors.Is(err, enough) {
			t.Errorf("the call returned %v, want the sink's error", err)
		}
		if err := <-stopped; status.Code(err) != codes.Canceled && status.Code(err) != codes.Unavailable {
			t.Errorf("the producer's send returned %v, want Canceled", err)
		}
	})
}

func TestChainSurroundsBothKinds(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []string
	note := func(s string) { mu.Lock(); seen = append(seen, s); mu.Unlock() }
	chain := &caller.Chain{}
	for _, name := range []string{"a", "b"} {
		chain.Unary = append(chain.Unary, func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			note(name + ":" + req.(*sessionv1.GetSessionRequest).GetSessionId())
			return handler(ctx, req)
		})
		chain.Stream = append(chain.Stream, func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			return handler(server, &noting{ServerStream: stream, note: note, name: name})
		})
	}
	server := &scripted{
		get: func(context.Context, *sessionv1.GetSessionRequest) (*sessionv1.GetSessionResponse, error) {
			return &sessionv1.GetSessionResponse{}, nil
		},
		watch: func(_ *sessionv1.WatchSessionRequest, stream grpc.ServerStreamingServer[sessionv1.WatchSessionResponse]) error {
			return stream.Send(&sessionv1.WatchSessionResponse{Version: 7})
		},
	}
	each(t, server, chain, func(t *testing.T, c sessionv1.SessionServiceCaller) {
		mu.Lock()
		seen = nil
		mu.Unlock()
		if _, err := c.GetSession(t.Context(), &sessionv1.GetSessionRequest{SessionId: "u"}); err != nil {
			t.Fatal(err)
		}
		if err := c.WatchSession(t.Context(), &sessionv1.WatchSessionRequest{SessionId: "s"}, func(*sessionv1.WatchSessionResponse) error { return nil }); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		// A stream's request is received from the inside out, and so is a send.
		if got, want := strings.Join(seen, " "), "a:u b:u a:s b:s b>7 a>7"; got != want {
			t.Errorf("interceptors saw %q, want %q", got, want)
		}
	})
}

type noting struct {
	grpc.ServerStream
	note func(string)
	name string
}

func (n *noting) RecvMsg(m any) error {
	if err := n.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	n.note(n.name + ":" + m.(*sessionv1.WatchSessionRequest).GetSessionId())
	return nil
}

func (n *noting) SendMsg(m any) error {
	n.note(fmt.Sprintf("%s>%d", n.name, m.(*sessionv1.WatchSessionResponse).GetVersion()))
	return n.ServerStream.SendMsg(m)
}

func TestMessagesMaySafelyBeClonedToKeep(t *testing.T) {
	t.Parallel()
	server := &scripted{watch: func(_ *sessionv1.WatchSessionRequest, stream grpc.ServerStreamingServer[sessionv1.WatchSessionResponse]) error {
		reused := &sessionv1.WatchSessionResponse{Session: &sessionv1.Session{}}
		for v := range int64(10) {
			reused.Version = v
			if reused.Session != nil {
				reused.Session.Version = v
			}
			if err := stream.Send(proto.Clone(reused).(*sessionv1.WatchSessionResponse)); err != nil {
				return err
			}
		}
		return nil
	}}
	each(t, server, nil, func(t *testing.T, c sessionv1.SessionServiceCaller) {
		var kept []*sessionv1.WatchSessionResponse
		err := c.WatchSession(t.Context(), &sessionv1.WatchSessionRequest{}, func(m *sessionv1.WatchSessionResponse) error {
			kept = append(kept, proto.Clone(m).(*sessionv1.WatchSessionResponse))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range kept {
			if m.GetVersion() != int64(i) || m.GetSession().GetVersion() != int64(i) {
				t.Errorf("kept message %d is %v", i, m)
			}
		}
	})
}
