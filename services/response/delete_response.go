package response

import (
	"context"
	"errors"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"google.golang.org/grpc/codes"
)

// DeleteResponse implements the RPC. A running answer is cancelled first; where
// the process that makes it does not end it in time, nothing is deleted and the
// call may be repeated.
func (s *Service) DeleteResponse(ctx context.Context, req *responsev1.DeleteResponseRequest) (*responsev1.DeleteResponseResponse, error) {
	owner, id := callctx.Owner(ctx), req.GetResponseId()
	err := s.store.Delete(ctx, owner, id)
	if errors.Is(err, store.ErrRunning) {
		if _, err := s.cancelAnswer(ctx, owner, id); err != nil {
			return nil, err
		}
		err = s.store.Delete(ctx, owner, id)
	}
	if errors.Is(err, store.ErrRunning) {
		return nil, fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE,
			"the process that makes the answer has not ended it yet", "room", room)
	}
	if err != nil {
		return nil, storeFault(err, id)
	}
	return &responsev1.DeleteResponseResponse{}, nil
}
