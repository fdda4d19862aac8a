package request

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"google.golang.org/grpc"
)

// Watch implements the RPC.
func (s *Service) Watch(req *requestv1.WatchRequest, stream grpc.ServerStreamingServer[requestv1.WatchResponse]) error {
	ctx, owner, id := stream.Context(), callctx.Owner(stream.Context()), req.GetRequestId()
	record, err := s.store.Get(ctx, owner, id)
	if err != nil {
		return storeFault(err, id)
	}
	s.showRunning(record.Request)
	var message requestv1.WatchResponse
	v := view{s: s, request: record.Request, sequence: req.GetAfterSequence(), send: func(request *requestv1.Request, chunk *conversationv1.Chunk) error {
		message.Request, message.Chunk = request, chunk
		return stream.Send(&message)
	}}
	if err := v.relay(ctx, req.GetAcceptWire()); err != nil || v.ended {
		return err
	}
	return wasInterrupted(record.Request.GetResponseId())
}
