package response

import (
	"context"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
)

// GetResponse implements the RPC.
func (s *Service) GetResponse(ctx context.Context, req *responsev1.GetResponseRequest) (*responsev1.GetResponseResponse, error) {
	record, err := s.store.Get(ctx, callctx.Owner(ctx), req.GetResponseId())
	if err != nil {
		return nil, storeFault(err, req.GetResponseId())
	}
	return &responsev1.GetResponseResponse{Response: record.Response}, nil
}
