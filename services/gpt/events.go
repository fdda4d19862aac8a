package gpt

import (
	"context"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/outbox"
)

// tellingSettled is ctx for the call that settles an attempt: the event holds
// the row as it is then.
func (s *Service) tellingSettled(ctx context.Context, row *gptv1.Attempt) context.Context {
	if s.deps.Events == nil {
		return ctx
	}
	before := row.State
	row.State = gptv1.Attempt_STATE_SETTLED
	defer func() { row.State = before }()
	key := row.GetSessionId()
	if key == "" {
		key = row.GetRequestId()
	}
	return outbox.With(ctx, s.deps.Events.Record(ctx, events.Draft{
		Type: "gpt.attempt_settled", Owner: row.GetOwner(), Key: key, Causation: row.GetResponseId(),
		Payload: &gptv1.AttemptSettled{Attempt: row}, Time: row.GetSettleTime().AsTime(),
	}))
}
