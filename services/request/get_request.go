package request

import (
	"context"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
)

// GetRequest implements the RPC.
func (s *Service) GetRequest(ctx context.Context, req *requestv1.GetRequestRequest) (*requestv1.GetRequestResponse, error) {
	record, err := s.store.Get(ctx, callctx.Owner(ctx), req.GetRequestId())
	if err != nil {
		return nil, storeFault(err, req.GetRequestId())
	}
	if record.Request.GetState() == accepted && s.runningHere(record.Request.GetOwner(), req.GetRequestId()) != nil {
		record.Request.State = running
	}
	return &requestv1.GetRequestResponse{Request: record.Request}, nil
}
