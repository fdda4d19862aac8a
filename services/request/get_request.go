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
	s.showRunning(record.Request)
	return &requestv1.GetRequestResponse{Request: record.Request}, nil
}

// showRunning gives a stored request that this process handles its state:
// RUNNING is not committed.
func (s *Service) showRunning(request *requestv1.Request) {
	if request.GetState() == accepted && s.runningHere(request.GetOwner(), request.GetId()) != nil {
		request.State = running
	}
}
