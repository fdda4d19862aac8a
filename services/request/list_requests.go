package request

import (
	"context"
	"fmt"
	"slices"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/page"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// ListRequests implements the RPC.
func (s *Service) ListRequests(ctx context.Context, req *requestv1.ListRequestsRequest) (*requestv1.ListRequestsResponse, error) {
	if err := fault.CheckTexts("user_id", req.GetUserId(), "session_id", req.GetSessionId()); err != nil {
		return nil, err
	}
	filter := store.Filter{
		Owner: callctx.Owner(ctx), UserID: req.GetUserId(), SessionID: req.GetSessionId(), States: req.GetStates(),
		After: timeOf(req.GetAfter()), Before: timeOf(req.GetBefore()),
	}
	scope := fmt.Sprintf("requests %q %q %q %v %d %d", filter.Owner, filter.UserID, filter.SessionID, filter.States,
		filter.After.UnixNano(), filter.Before.UnixNano())
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
	open := slices.ContainsFunc(filter.States, func(state requestv1.Request_State) bool { return state == accepted || state == running })
	if open {
		filter.States = append(slices.Clone(filter.States), accepted) // RUNNING is not committed
	}
	list, err := s.store.List(ctx, filter, size+1)
	if err != nil {
		return nil, storeFault(err, "")
	}
	out := &requestv1.ListRequestsResponse{Requests: list}
	if len(list) > size {
		out.Requests = list[:size]
		out.NextPageToken = page.Token(scope, store.CursorOf(list[size-1]).String())
	}
	for _, request := range out.Requests {
		s.showRunning(request)
	}
	if open {
		out.Requests = slices.DeleteFunc(out.Requests, func(r *requestv1.Request) bool { return !slices.Contains(req.GetStates(), r.GetState()) })
	}
	return out, nil
}

func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
