package response

import (
	"context"
	"errors"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// GetResponse implements the RPC. An answer that this process makes runs, though its
// row may come with its end.
func (s *Service) GetResponse(ctx context.Context, req *responsev1.GetResponseRequest) (*responsev1.GetResponseResponse, error) {
	owner, id := callctx.Owner(ctx), req.GetResponseId()
	begun := s.begunHere(owner, id) // before its row is looked for, which it may get in between
	record, err := s.store.Get(ctx, owner, id)
	switch {
	case begun != nil && errors.Is(err, store.ErrNotFound):
		return &responsev1.GetResponseResponse{Response: begun}, nil
	case err != nil:
		return nil, storeFault(err, id)
	}
	return &responsev1.GetResponseResponse{Response: record.Response}, nil
}

// begunHere is an answer of owner that this process makes, as its row begins, or nil.
func (s *Service) begunHere(owner, id string) *responsev1.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.running[id]; r != nil && r.owner == owner {
		return r.row()
	}
	return nil
}

// row is the answer as it begins. It reads nothing of the run that changes.
func (r *run) row() *responsev1.Response {
	return &responsev1.Response{
		Id: r.id, RequestId: r.req.GetRequestId(), SessionId: r.req.GetSessionId(), Owner: r.owner,
		State: responsev1.Response_STATE_RUNNING, CreateTime: timestamppb.New(r.begin),
	}
}
