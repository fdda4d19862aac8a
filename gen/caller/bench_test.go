package caller_test

import (
	"context"
	"testing"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"google.golang.org/grpc"
)

func BenchmarkLocalUnary(b *testing.B) {
	answer := &sessionv1.GetSessionResponse{}
	c := sessionv1.LocalSessionService(&scripted{get: func(context.Context, *sessionv1.GetSessionRequest) (*sessionv1.GetSessionResponse, error) {
		return answer, nil
	}}, nil)
	req := &sessionv1.GetSessionRequest{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.GetSession(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLocalStreamEvent(b *testing.B) {
	message := &sessionv1.WatchSessionResponse{}
	c := sessionv1.LocalSessionService(&scripted{watch: func(req *sessionv1.WatchSessionRequest, stream grpc.ServerStreamingServer[sessionv1.WatchSessionResponse]) error {
		for range req.GetAfterVersion() {
			if err := stream.Send(message); err != nil {
				return err
			}
		}
		return nil
	}}, nil)
	b.ReportAllocs()
	err := c.WatchSession(b.Context(), &sessionv1.WatchSessionRequest{AfterVersion: int64(b.N)}, func(*sessionv1.WatchSessionResponse) error { return nil })
	if err != nil {
		b.Fatal(err)
	}
}
