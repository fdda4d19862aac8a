package response

import (
	"context"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
)

// CancelResponse implements the RPC. An answer that another process makes is
// ended by that process at its next heartbeat; the call waits for it, not much
// longer, and returns the answer as it is then.
func (s *Service) CancelResponse(ctx context.Context, req *responsev1.CancelResponseRequest) (*responsev1.CancelResponseResponse, error) {
	response, err := s.cancelAnswer(ctx, callctx.Owner(ctx), req.GetResponseId())
	if err != nil {
		return nil, err
	}
	return &responsev1.CancelResponseResponse{Response: response}, nil
}

func (s *Service) cancelAnswer(ctx context.Context, owner, id string) (*responsev1.Response, error) {
	if r := s.runningHere(owner, id); r != nil {
		r.reins.Cancel(errCancelled)
		select {
		case <-r.done.Opened():
		case <-ctx.Done():
			return nil, fault.From(ctx.Err())
		}
	} else if s.shared {
		if err := s.store.RequestCancel(ctx, owner, id); err != nil {
			return nil, storeFault(err, id)
		}
	}
	return s.awaitFinal(ctx, owner, id, 2*s.cfg.HeartbeatInterval)
}
