package request

import (
	"context"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
)

// CancelRequest implements the RPC. A request that another process handles is
// cancelled through its answer; the call waits for that process to say so.
func (s *Service) CancelRequest(ctx context.Context, req *requestv1.CancelRequestRequest) (*requestv1.CancelRequestResponse, error) {
	owner, id := callctx.Owner(ctx), req.GetRequestId()
	request, err := s.cancel(ctx, owner, id)
	switch {
	case err != nil:
		return nil, err
	case final(request.GetState()) && request.GetState() != cancelled:
		return nil, illegal(request.GetState(), cancelled)
	}
	return &requestv1.CancelRequestResponse{Request: request}, nil
}

func (s *Service) cancel(ctx context.Context, owner, id string) (*requestv1.Request, error) {
	if r := s.runningHere(owner, id); r != nil {
		if r.stays() { // ending the call of it would not end the answer
			r.cancelAnswer(ctx)
		}
		r.reins.Cancel(errCancelled)
		select {
		case <-r.done.Opened():
		case <-ctx.Done():
			return nil, fault.From(ctx.Err())
		}
		return s.awaitFinal(ctx, owner, id)
	}
	record, err := s.store.Get(ctx, owner, id)
	if err != nil {
		return nil, storeFault(err, id)
	}
	if final(record.Request.GetState()) {
		return record.Request, nil
	}
	_, err = s.deps.Response.CancelResponse(ctx, &responsev1.CancelResponseRequest{ResponseId: record.Request.GetResponseId()})
	if err != nil && !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_RESPONSE_NOT_FOUND) {
		return nil, roomFault(err, "response")
	}
	return s.awaitFinal(ctx, owner, id)
}
