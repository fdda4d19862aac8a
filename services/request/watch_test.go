package request

import (
	"context"
	"sync/atomic"
	"testing"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// early is a response room whose answer begins right after a watcher has looked for it,
// and has ended before the watcher looks at anything else.
type early struct {
	responsev1.ResponseServiceCaller
	looked atomic.Bool
	begin  chan struct{} // closed when it begins
	ended  chan struct{} // closed when its request has
}

func (e *early) Generate(ctx context.Context, req *responsev1.GenerateRequest, sink func(*responsev1.GenerateResponse) error) error {
	<-e.begin
	return e.ResponseServiceCaller.Generate(ctx, req, sink)
}

func (e *early) WatchResponse(ctx context.Context, req *responsev1.WatchResponseRequest, sink func(*responsev1.WatchResponseResponse) error) error {
	if !e.looked.CompareAndSwap(false, true) {
		return e.ResponseServiceCaller.WatchResponse(ctx, req, sink)
	}
	close(e.begin)
	<-e.ended
	return fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_RESPONSE_NOT_FOUND, "there is no such response")
}

// TestWatchLooksAgain: an answer that was not there yet when it was asked for is not
// taken for one that was deleted because its request has ended since.
func TestWatchLooksAgain(t *testing.T) {
	t.Parallel()
	line := &early{begin: make(chan struct{}), ended: make(chan struct{})}
	w := open(t, options{caller: func(c responsev1.ResponseServiceCaller) responsev1.ResponseServiceCaller {
		line.ResponseServiceCaller = c
		return line
	}})
	go func() {
		defer close(line.ended)
		w.submit(t.Context(), ask("hi"))
	}()
	eventually(t, "the request is there", func() bool {
		list, err := w.caller.ListRequests(t.Context(), &requestv1.ListRequestsRequest{})
		return err == nil && len(list.GetRequests()) == 1
	})
	var g got
	g.err = w.caller.Watch(t.Context(), &requestv1.WatchRequest{RequestId: w.newest().GetId()}, func(m *requestv1.WatchResponse) error {
		g.chunks = append(g.chunks, proto.CloneOf(m.GetChunk()))
		return nil
	})
	equal(t, g, hello)
}
