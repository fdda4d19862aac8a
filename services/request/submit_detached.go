package request

import (
	"context"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
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
	commitCtx, cancel := lasting(ctx, s.cfg.StoreTimeout)
	defer cancel()
	if err := r.awaitAccept(commitCtx); err != nil {
		s.dismiss(r)
		r.cancel(nil)
		return nil, err
	}
	out := proto.CloneOf(r.request)
	s.work.Go(func() {
		_ = s.handle(context.WithoutCancel(ctx), r) // its row says what became of it
	})
	return &requestv1.SubmitDetachedResponse{Request: out}, nil
}
