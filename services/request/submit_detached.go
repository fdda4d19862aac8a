package request

import (
	"context"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/protobuf/proto"
)

// SubmitDetached implements the RPC.
func (s *Service) SubmitDetached(ctx context.Context, req *requestv1.SubmitDetachedRequest) (*requestv1.SubmitDetachedResponse, error) {
	if req.GetSubmit() == nil {
		return nil, fault.InvalidField("submit", "is required")
	}
	r, earlier, err := s.admit(ctx, req.GetSubmit(), true)
	if err != nil {
		return nil, err
	}
	if earlier != nil {
		return &requestv1.SubmitDetachedResponse{Request: earlier.Request}, nil
	}
	// What is acknowledged is committed, whether the caller still waits or not.
	commitCtx, cancel := callctx.Lasting(ctx, s.cfg.StoreTimeout)
	defer cancel()
	if err := r.awaitCommit(commitCtx); err != nil {
		s.dismiss(r)
		return nil, err
	}
	out := proto.CloneOf(r.request)
	s.work.Go(func() {
		_ = s.handle(context.WithoutCancel(ctx), r) // its row says what became of it
	})
	s.awaitAnswer(commitCtx, r.done.Opened(), out.GetResponseId())
	return &requestv1.SubmitDetachedResponse{Request: out}, nil
}

// awaitAnswer waits until the response room knows an answer, so that whoever is
// told its name can watch it, or until its request is over.
func (s *Service) awaitAnswer(ctx context.Context, done <-chan struct{}, id string) {
	for tries := 0; ; tries++ {
		_, err := s.deps.Response.GetResponse(ctx, &responsev1.GetResponseRequest{ResponseId: id})
		if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_RESPONSE_NOT_FOUND) {
			return
		}
		select {
		case <-done:
			return
		default:
		}
		if s.pause(ctx, min(time.Millisecond<<min(tries, 10), s.cfg.PollInterval)) != nil {
			return
		}
	}
}
