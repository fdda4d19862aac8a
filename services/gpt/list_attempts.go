package gpt

import (
	"context"
	"fmt"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/page"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// ListAttempts implements gptv1.GPTServiceServer.
func (s *Service) ListAttempts(ctx context.Context, req *gptv1.ListAttemptsRequest) (*gptv1.ListAttemptsResponse, error) {
	after, err := moment("after", req.GetAfter())
	if err != nil {
		return nil, err
	}
	before, err := moment("before", req.GetBefore())
	if err != nil {
		return nil, err
	}
	if err := fault.CheckTexts("request_id", req.GetRequestId(), "session_id", req.GetSessionId()); err != nil {
		return nil, err
	}
	owner := callctx.Owner(ctx)
	bound := fmt.Sprintf("attempts/%q/%q/%q/%d/%d", owner, req.GetRequestId(), req.GetSessionId(), after.UnixMicro(), before.UnixMicro())
	cursor, err := page.Cursor(bound, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	size := page.Size(req.GetPageSize(), 50, 1000)
	attempts, err := s.store.List(ctx, store.Filter{
		Owner: owner, RequestID: req.GetRequestId(), SessionID: req.GetSessionId(),
		After: after, Before: before, Cursor: cursor, Limit: size + 1,
	})
	if err != nil {
		return nil, err
	}
	resp := &gptv1.ListAttemptsResponse{Attempts: attempts}
	if len(attempts) > size {
		resp.Attempts = attempts[:size]
		resp.NextPageToken = page.Token(bound, attempts[size-1].GetId())
	}
	return resp, nil
}

func moment(field string, t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil {
		return time.Time{}, fault.InvalidField(field, "is not a valid time")
	}
	return t.AsTime(), nil
}
