package gpt

import (
	"context"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/outbox"
	"google.golang.org/protobuf/proto"
)

// tellingSettled is ctx for the call that settles an attempt: the event holds
// the row as it is then.
func (s *Service) tellingSettled(ctx context.Context, row *gptv1.Attempt) context.Context {
	if s.deps.Events == nil {
		return ctx
	}
	settled := proto.CloneOf(row)
	settled.State = gptv1.Attempt_STATE_SETTLED
	key := row.GetSessionId()
	if key == "" {
		key = row.GetRequestId()
	}
	return outbox.With(ctx, s.deps.Events.Record(ctx, events.Draft{
		Type: "gpt.attempt_settled", Owner: row.GetOwner(), Key: key, Causation: row.GetResponseId(),
		Payload: &gptv1.AttemptSettled{Attempt: settled}, Time: row.GetSettleTime().AsTime(),
	}))
}
