package request

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"google.golang.org/grpc"
)

// Submit implements the RPC. A raw body is the caller's again when it returns, where
// the turn is no stream and the request has neither session, idempotency key, cache,
// post-processing nor an answer that goes on without its client.
func (s *Service) Submit(req *requestv1.SubmitRequest, stream grpc.ServerStreamingServer[requestv1.SubmitResponse]) error {
	ctx := stream.Context()
	for tries := 0; ; tries++ {
		r, earlier, err := s.admit(ctx, req, false)
		if err != nil {
			return err
		}
		if earlier == nil {
			r.stream = stream
			return s.handle(ctx, r)
		}
		again, err := s.attach(ctx, req, earlier.Request, func(request *requestv1.Request, chunk *conversationv1.Chunk) error {
			return stream.Send(&requestv1.SubmitResponse{Request: request, Chunk: chunk})
		})
		if !again || tries == 3 {
			return err
		}
	}
}
