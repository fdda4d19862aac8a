package response

import (
	"context"
	"errors"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/services/response/internal/answerlog"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// CancelResponse implements the RPC. An answer that another process makes is
// ended by that process at its next heartbeat; the call waits for it, not much
// longer, and returns the answer as it is then.
func (s *Service) CancelResponse(ctx context.Context, req *responsev1.CancelResponseRequest) (*responsev1.CancelResponseResponse, error) {
	owner := callctx.Owner(ctx)
	response, err := s.cancelAnswer(ctx, owner, req.GetResponseId())
	if req.GetRequestId() != "" && fault.Is(err, meshv1.ErrorReason_ERROR_REASON_RESPONSE_NOT_FOUND) {
		response, err = s.forestall(ctx, owner, req)
	}
	if err != nil {
		return nil, err
	}
	return &responsev1.CancelResponseResponse{Response: response}, nil
}

// forestall keeps an answer that is not there as a cancelled one. Whoever begins it from
// now on finds its id taken; one that was begun meanwhile is cancelled.
func (s *Service) forestall(ctx context.Context, owner string, req *responsev1.CancelResponseRequest) (*responsev1.Response, error) {
	now := timestamppb.New(s.deps.Clock())
	r := &responsev1.Response{
		Id: req.GetResponseId(), RequestId: req.GetRequestId(), Owner: owner, State: responsev1.Response_STATE_CANCELLED,
		CreateTime: now, FinishTime: now, LastSequence: 1, Failure: wire.Failure(cancelled()),
	}
	last, err := proto.Marshal(lostEnd(r, 0))
	if err != nil {
		return nil, fault.Internal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.StoreTimeout)
	defer cancel()
	end := &finishing{whole: true, final: store.Final{Response: r, Log: answerlog.Frames(nil, last)}}
	switch err := s.finish(ctx, end, new(outbox.Place)); {
	case errors.Is(err, store.ErrExists):
		return s.cancelAnswer(ctx, owner, r.GetId())
	case err != nil:
		return nil, storeFault(err, r.GetId())
	}
	return r, nil
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
