package request

import (
	"context"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
)

// RateRequest implements the RPC.
func (s *Service) RateRequest(ctx context.Context, req *requestv1.RateRequestRequest) (*requestv1.RateRequestResponse, error) {
	if err := s.routes.Rate(ctx, callctx.Owner(ctx), req.GetRequestId(), req.GetRating()); err != nil {
		return nil, storeFault(err, req.GetRequestId())
	}
	return &requestv1.RateRequestResponse{}, nil
}
