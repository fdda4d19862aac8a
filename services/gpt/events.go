package gpt

import (
	"context"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/gen/scope"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/outbox"
)

// settling is what the settling of an attempt is made with.
type settling struct {
	lasting scope.Apart
	place   outbox.Place
	event   gptv1.AttemptSettled
	used    bool
}

// record is for the call that settles an attempt: the event holds the row as it is
// then.
// correlation is the request id of its call, where that is known.
func (t *settling) record(ctx context.Context, s *Service, row *gptv1.Attempt, correlation string) *events.Loan {
	if s.deps.Events == nil {
		return nil
	}
	before := row.State
	row.State = gptv1.Attempt_STATE_SETTLED
	defer func() { row.State = before }()
	key := row.GetSessionId()
	if key == "" {
		key = row.GetRequestId()
	}
	t.event.Attempt = row
	return s.deps.Events.Lend(ctx, events.Draft{
		Type: "gpt.attempt_settled", Owner: row.GetOwner(), Key: key, Causation: row.GetResponseId(), Correlation: correlation,
		Payload: &t.event, Time: row.GetSettleTime().AsTime(),
	})
}
