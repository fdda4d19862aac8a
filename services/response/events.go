package response

import (
	"context"
	"sync"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/events"
)

// EventsConfig says what events hold.
type EventsConfig struct {
	// Texts puts the text of an answer into "response.processed".
	Texts bool `yaml:"texts"`
}

// ending is the record of an answer's end.
func (s *Service) ending(ctx context.Context, r *responsev1.Response) *events.Loan {
	if s.deps.Events == nil {
		return nil
	}
	if call := callctx.From(ctx); call.RequestID == "" { // a sweep
		call.RequestID = r.GetRequestId()
		ctx = callctx.With(ctx, call)
	}
	key := r.GetSessionId()
	if key == "" {
		key = r.GetRequestId()
	}
	draft := events.Draft{Owner: r.GetOwner(), Key: key, Causation: r.GetRequestId(), Time: r.GetFinishTime().AsTime()}
	if r.GetState() != responsev1.Response_STATE_COMPLETED {
		draft.Type = "response.failed"
		draft.Payload = &responsev1.ResponseFailed{
			ResponseId: r.GetId(), RequestId: r.GetRequestId(), SessionId: r.GetSessionId(), State: r.GetState(),
			Reason: r.GetFailure().GetReason(), Code: r.GetFailure().GetCode(),
		}
		return s.deps.Events.Lend(ctx, draft)
	}
	t := tales.Get().(*tale)
	defer t.release()
	received, processed := &t.received, &t.processed
	t.received = responsev1.ResponseReceived{
		ResponseId: r.GetId(), RequestId: r.GetRequestId(), SessionId: r.GetSessionId(), Model: r.GetModel(), Provider: r.GetProvider(),
		Usage: r.GetUsage(), Cached: r.GetCached(), FinishReasons: t.reasons[:0],
	}
	if first := r.GetFirstEventTime(); first != nil {
		received.FirstEventMicros = first.AsTime().Sub(r.GetCreateTime().AsTime()).Microseconds()
	}
	for _, choice := range r.GetChoices() {
		received.FinishReasons = append(received.FinishReasons, choice.GetFinishReason())
	}
	t.processed = responsev1.ResponseProcessed{
		ResponseId: r.GetId(), RequestId: r.GetRequestId(), SessionId: r.GetSessionId(), Redactions: r.GetRedactions(),
		LastSequence: r.GetLastSequence(),
	}
	if s.cfg.Events.Texts && len(r.GetChoices()) > 0 {
		for _, part := range r.GetChoices()[0].GetMessage().GetParts() {
			processed.Text += part.GetText()
		}
	}
	draft.Type, draft.Payload = "response.received", received
	t.drafts[0] = draft
	draft.Type, draft.Payload, draft.Causation = "response.processed", processed, ""
	t.drafts[1] = draft
	return s.deps.Events.Lend(ctx, t.drafts[:]...)
}

// tale is the events of an answer that was completed while their record is made:
// the record keeps nothing of them.
type tale struct {
	drafts    [2]events.Draft
	received  responsev1.ResponseReceived
	processed responsev1.ResponseProcessed
	reasons   [4]conversationv1.FinishReason
}

var tales = sync.Pool{New: func() any { return new(tale) }}

func (t *tale) release() {
	t.drafts = [2]events.Draft{}
	t.received, t.processed = responsev1.ResponseReceived{}, responsev1.ResponseProcessed{}
	tales.Put(t)
}
