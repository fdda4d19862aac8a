package request

import (
	"context"
	"sync"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/events"
)

// beginning is the record for the call that adds the row of a request: that the
// request was admitted and routed.
func (s *Service) beginning(ctx context.Context, r *requestv1.Request) *events.Loan {
	if s.deps.Events == nil {
		return nil
	}
	t := tales.Get().(*tale)
	defer t.release()
	t.begin(r)
	return s.deps.Events.Lend(about(ctx, r), t.drafts[:2]...)
}

// ending is the record for the call that makes a request final; with whole the
// same call adds its row.
func (s *Service) ending(ctx context.Context, r *requestv1.Request, whole bool) *events.Loan {
	if s.deps.Events == nil {
		return nil
	}
	t := tales.Get().(*tale)
	defer t.release()
	drafts := t.drafts[2:]
	if whole {
		t.begin(r)
		drafts = t.drafts[:]
	}
	t.end(r)
	return s.deps.Events.Lend(about(ctx, r), drafts...)
}

// tale is the events of one turn while their record is made: the record keeps
// nothing of them.
type tale struct {
	drafts    [3]events.Draft
	initiated requestv1.RequestInitiated
	routed    requestv1.RequestRouted
	completed requestv1.RequestCompleted
}

var tales = sync.Pool{New: func() any { return new(tale) }}

func (t *tale) release() {
	t.drafts = [3]events.Draft{}
	t.initiated, t.routed, t.completed = requestv1.RequestInitiated{}, requestv1.RequestRouted{}, requestv1.RequestCompleted{}
	tales.Put(t)
}

// about is ctx with a call to correlate by, which a sweep has not.
func about(ctx context.Context, r *requestv1.Request) context.Context {
	if call := callctx.From(ctx); call.RequestID == "" {
		call.RequestID = r.GetId()
		return callctx.With(ctx, call)
	}
	return ctx
}

// orderKey is what the order of a request's events is kept for.
func orderKey(r *requestv1.Request) string {
	if id := r.GetSessionId(); id != "" {
		return id
	}
	return r.GetId()
}

func (t *tale) begin(r *requestv1.Request) {
	created := r.GetCreateTime().AsTime()
	d := r.GetDecision()
	t.initiated = requestv1.RequestInitiated{
		RequestId: r.GetId(), SessionId: r.GetSessionId(), UserId: r.GetUserId(), Model: r.GetModel(), Detached: r.GetDetached(),
	}
	t.drafts[0] = events.Draft{Type: "request.initiated", Owner: r.GetOwner(), Key: orderKey(r), Time: created, Payload: &t.initiated}
	t.routed = requestv1.RequestRouted{
		RequestId: r.GetId(), ResponseId: r.GetResponseId(), RequestedModel: d.GetRequestedModel(), Model: d.GetModel(),
		Policy: d.GetPolicy(), Reason: d.GetReason(), TaskType: d.GetTaskType(), Complexity: d.GetComplexity(),
	}
	t.drafts[1] = events.Draft{
		Type: "request.routed", Owner: r.GetOwner(), Key: orderKey(r),
		Time: created.Add(time.Duration(d.GetElapsedMicros()) * time.Microsecond), Payload: &t.routed,
	}
}

func (t *tale) end(r *requestv1.Request) {
	out := events.Draft{Owner: r.GetOwner(), Key: orderKey(r), Causation: r.GetResponseId(), Time: r.GetFinishTime().AsTime()}
	micros := r.GetFinishTime().AsTime().Sub(r.GetCreateTime().AsTime()).Microseconds()
	switch r.GetState() {
	case completed:
		out.Type = "request.completed"
		t.completed = requestv1.RequestCompleted{
			RequestId: r.GetId(), ResponseId: r.GetResponseId(), SessionId: r.GetSessionId(), Model: r.GetDecision().GetModel(),
			Usage: r.GetUsage(), DurationMicros: micros,
		}
		out.Payload = &t.completed
	case cancelled:
		out.Type = "request.cancelled"
		out.Payload = &requestv1.RequestCancelled{
			RequestId: r.GetId(), ResponseId: r.GetResponseId(), SessionId: r.GetSessionId(), DurationMicros: micros,
		}
	default:
		reason := r.GetFailure().GetReason()
		if r.GetState() == interrupted {
			reason = meshv1.ErrorReason_ERROR_REASON_INTERRUPTED
		}
		out.Type = "request.failed"
		out.Payload = &requestv1.RequestFailed{
			RequestId: r.GetId(), ResponseId: r.GetResponseId(), SessionId: r.GetSessionId(), Model: r.GetDecision().GetModel(),
			Reason: reason, Code: r.GetFailure().GetCode(), DurationMicros: micros,
		}
	}
	t.drafts[2] = out
}
