package response

import (
	"context"
	"fmt"
	"time"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/page"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// ListResponses implements the RPC.
func (s *Service) ListResponses(ctx context.Context, req *responsev1.ListResponsesRequest) (*responsev1.ListResponsesResponse, error) {
	if err := fault.CheckTexts("session_id", req.GetSessionId()); err != nil {
		return nil, err
	}
	filter := store.Filter{
		Owner: callctx.Owner(ctx), SessionID: req.GetSessionId(), States: req.GetStates(),
		After: timeOf(req.GetAfter()), Before: timeOf(req.GetBefore()),
	}
	scope := fmt.Sprintf("responses %q %q %v %d %d", filter.Owner, filter.SessionID, filter.States, filter.After.UnixNano(), filter.Before.UnixNano())
	cursor, err := page.Cursor(scope, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	if cursor != "" {
		var ok bool
		if filter.Cursor, ok = store.ParseCursor(cursor); !ok {
			return nil, page.Invalid()
		}
	}
	size := page.Size(req.GetPageSize(), 50, 1000)
	list, err := s.store.List(ctx, filter, size+1)
	if err != nil {
		return nil, storeFault(err, "")
	}
	out := &responsev1.ListResponsesResponse{Responses: list}
	if len(list) > size {
		out.Responses = list[:size]
		out.NextPageToken = page.Token(scope, store.CursorOf(list[size-1]).String())
	}
	return out, nil
}

func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
