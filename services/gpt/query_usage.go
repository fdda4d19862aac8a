package gpt

import (
	"context"
	"fmt"
	"strconv"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/page"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store"
)

// QueryUsage implements gptv1.UsageServiceServer.
func (s *Service) QueryUsage(ctx context.Context, req *gptv1.QueryUsageRequest) (*gptv1.QueryUsageResponse, error) {
	after, err := moment("after", req.GetAfter())
	if err != nil {
		return nil, err
	}
	before, err := moment("before", req.GetBefore())
	if err != nil {
		return nil, err
	}
	if !before.IsZero() && before.Before(after) {
		return nil, fault.InvalidField("before", "must not be earlier than after")
	}
	if err := fault.CheckTexts("user_id", req.GetUserId(), "session_id", req.GetSessionId(), "provider", req.GetProvider(),
		"model", req.GetModel()); err != nil {
		return nil, err
	}
	owner := callctx.Owner(ctx)
	bound := fmt.Sprintf("usage/%q/%v/%d/%d/%q/%q/%q/%q", owner, req.GetGroupBy(), after.UnixMicro(), before.UnixMicro(),
		req.GetUserId(), req.GetSessionId(), req.GetProvider(), req.GetModel())
	cursor, err := page.Cursor(bound, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	offset := 0
	if cursor != "" {
		if offset, err = strconv.Atoi(cursor); err != nil || offset < 0 {
			return nil, fault.InvalidField("page_token", "is not one of this list")
		}
	}
	size := page.Size(req.GetPageSize(), 100, 1000)
	groups, err := s.store.Usage(ctx, store.Query{
		Owner: owner, GroupBy: req.GetGroupBy(), UserID: req.GetUserId(), SessionID: req.GetSessionId(),
		Provider: req.GetProvider(), Model: req.GetModel(), After: after, Before: before, Offset: offset, Limit: size + 1,
	})
	if err != nil {
		return nil, err
	}
	resp := &gptv1.QueryUsageResponse{Groups: groups}
	if len(groups) > size {
		resp.Groups, resp.NextPageToken = groups[:size], page.Token(bound, strconv.Itoa(offset+size))
	}
	return resp, nil
}
