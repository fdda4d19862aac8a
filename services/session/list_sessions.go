package session

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/page"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

const (
	defaultSessionPage = 50
	maxPage            = 1000
)

// ListSessions lists the caller's sessions; see the contract. A session that is
// used while a list is being read moves to its front, and is not on later
// pages.
func (s *Service) ListSessions(ctx context.Context, req *sessionv1.ListSessionsRequest) (*sessionv1.ListSessionsResponse, error) {
	if err := fault.CheckTexts("user_id", req.GetUserId()); err != nil {
		return nil, err
	}
	owner := callctx.Owner(ctx)
	states := slices.Compact(slices.Sorted(slices.Values(req.GetStates())))
	filter := fmt.Sprintf("sessions/%q/%q/%v", owner, req.GetUserId(), states)
	cursor, err := page.Cursor(filter, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	before, err := parsePlace(cursor)
	if err != nil {
		return nil, err
	}
	// The order is the store's, so it must know of every use.
	if err := s.uses.flush(ctx); err != nil {
		return nil, err
	}
	now, size := s.now(), page.Size(req.GetPageSize(), defaultSessionPage, maxPage)
	list, err := s.store.Sessions(ctx, store.SessionQuery{
		Owner: owner, UserID: req.GetUserId(), States: states, Now: now, Before: before, Limit: size + 1,
	})
	if err != nil {
		return nil, failed(err)
	}
	resp := &sessionv1.ListSessionsResponse{}
	if len(list) > size {
		list = list[:size]
		last := list[size-1]
		resp.NextPageToken = page.Token(filter, fmt.Sprintf("%d.%d", last.LastActiveTime.UnixMicro(), last.Key))
	}
	for _, session := range list {
		settle(session, now)
		resp.Sessions = append(resp.Sessions, view(session, now))
	}
	return resp, nil
}

// parsePlace reads the cursor "microseconds.key".
func parsePlace(cursor string) (store.Place, error) {
	if cursor == "" {
		return store.Place{}, nil
	}
	left, right, _ := strings.Cut(cursor, ".")
	micros, err := strconv.ParseInt(left, 10, 64)
	key, errKey := strconv.ParseInt(right, 10, 64)
	if err != nil || errKey != nil || key <= 0 {
		return store.Place{}, page.Invalid()
	}
	return store.Place{LastActiveTime: time.UnixMicro(micros).UTC(), Key: key}, nil
}
