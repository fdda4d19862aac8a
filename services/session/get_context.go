package session

import (
	"context"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/services/session/internal/refuse"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"github.com/gptmesh/gptmesh/services/session/internal/window"
)

// GetContext returns the messages to give a model; see the contract and package
// window. System messages are taken first, oldest first, then the others,
// newest first; each kind up to the first that does not fit. What it costs
// depends on the budget, not on the length of the session.
func (s *Service) GetContext(ctx context.Context, req *sessionv1.GetContextRequest) (*sessionv1.GetContextResponse, error) {
	now, id := s.now(), req.GetSessionId()
	session, err := s.read(ctx, id, now)
	if err != nil {
		return nil, failedFor(id, err)
	}
	if session.State != store.Active {
		return nil, refuse.Ended(id, sessionv1.Session_State(session.State))
	}
	session.LastActiveTime = later(now, session.LastActiveTime)
	s.uses.note(session.Key, session.LastActiveTime)

	// Nothing that is appended after the session was read.
	query := store.MessageQuery{Key: session.Key, Before: session.MessageCount + 1}
	system, others := query, query
	system.System = true
	others.NotSystem, others.NewestFirst = true, true
	budget := window.NewBudget(req.GetMaxTokens())
	head, err := window.Oldest(budget, s.entries(ctx, system))
	if err != nil {
		return nil, failed(err)
	}
	tail, err := window.Newest(budget, s.entries(ctx, others))
	if err != nil {
		return nil, failed(err)
	}

	resp := &sessionv1.GetContextResponse{
		Messages: make([]*conversationv1.Message, 0, len(head)+len(tail)),
		Session:  view(session, now),
	}
	for _, part := range [][]window.Entry{head, tail} {
		for _, entry := range part {
			resp.Messages = append(resp.Messages, entry.Message)
			resp.TokenEstimate += entry.Tokens
		}
	}
	resp.OmittedCount = session.MessageCount - int64(len(resp.Messages))
	s.metrics.omitted.Add(float64(resp.OmittedCount))
	return resp, nil
}
