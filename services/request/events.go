package request

import (
	"context"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/outbox"
)

// telling is ctx for the call that adds the row of a request: it carries that
// the request was admitted and routed.
func (s *Service) telling(ctx context.Context, r *requestv1.Request) context.Context {
	if s.deps.Events == nil {
		return ctx
	}
	return outbox.With(ctx, s.deps.Events.Record(about(ctx, r), beginning(r)...))
}

// tellingEnd is ctx for the call that makes a request final; with whole the same
// call adds its row.
func (s *Service) tellingEnd(ctx context.Context, r *requestv1.Request, whole bool) context.Context {
	if s.deps.Events == nil {
		return ctx
	}
	var drafts []events.Draft
	if whole {
		drafts = beginning(r)
	}
	return outbox.With(ctx, s.deps.Events.Record(about(ctx, r), append(drafts, ending(r))...))
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

func beginning(r *requestv1.Request) []events.Draft {
	created := r.GetCreateTime().AsTime()
	d := r.GetDecision()
	return []events.Draft{
		{
			Type: "request.initiated", Owner: r.GetOwner(), Key: orderKey(r), Time: created,
			Payload: &requestv1.RequestInitiated{
				RequestId: r.GetId(), SessionId: r.GetSessionId(), UserId: r.GetUserId(), Model: r.GetModel(), Detached: r.GetDetached(),
			},
		},
		{
			Type: "request.routed", Owner: r.GetOwner(), Key: orderKey(r), Time: created.Add(time.Duration(d.GetElapsedMicros()) * time.Microsecond),
			Payload: &requestv1.RequestRouted{
				RequestId: r.GetId(), ResponseId: r.GetResponseId(), RequestedModel: d.GetRequestedModel(), Model: d.GetModel(),
				Policy: d.GetPolicy(), Reason: d.GetReason(), TaskType: d.GetTaskType(), Complexity: d.GetComplexity(),
			},
		},
	}
}

func ending(r *requestv1.Request) events.Draft {
	out := events.Draft{Owner: r.GetOwner(), Key: orderKey(r), Causation: r.GetResponseId(), Time: r.GetFinishTime().AsTime()}
	micros := r.GetFinishTime().AsTime().Sub(r.GetCreateTime().AsTime()).Microseconds()
	switch r.GetState() {
	case completed:
		out.Type = "request.completed"
		out.Payload = &requestv1.RequestCompleted{
			RequestId: r.GetId(), ResponseId: r.GetResponseId(), SessionId: r.GetSessionId(), Model: r.GetDecision().GetModel(),
			Usage: r.GetUsage(), DurationMicros: micros,
		}
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
	return out
}
