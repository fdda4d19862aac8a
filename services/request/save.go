package request

import (
	"context"
	"errors"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/proto"
)

// save commits a final state. When it cannot, the client is told so, and the
// room goes on trying to store it.
func (r *run) save(ctx context.Context, state requestv1.Request_State, failure *conversationv1.Failure) error {
	r.lasting.Start(ctx, r.s.cfg.StoreTimeout)
	defer r.lasting.Stop()
	ctx = &r.lasting
	whole := r.accepting.Skip() // there is no row: this adds it
	if !whole {
		if err := r.awaitRows(ctx); err != nil {
			r.doubt(wire.Failure(err))
			return err
		}
	}
	answered := r.sequence > 0 || state == completed
	from := r.request.GetState()
	if from == accepted && state == completed {
		from = running // its first chunk was its last
	}
	if !legal(from, state) {
		return fault.Internal(illegal(from, state))
	}
	r.noteGuard(ctx, guardGrace)
	r.end(state, failure)
	end := unsavedEnd{r.request, answered, whole}
	err := r.s.finish(ctx, end, &r.telling)
	if err == nil {
		err = r.writes.Wait(ctx)
	}
	if err == nil {
		r.noteLate()
		r.s.metrics.ended(r.request, r.s.deps.Clock().Sub(r.begin))
		return nil
	}
	if errors.Is(err, store.ErrFinal) {
		// Others took this process for dead, and said so to whoever asked.
		f := wasInterrupted(r.request.GetResponseId())
		r.end(interrupted, wire.Failure(f))
		return f
	}
	r.s.deps.Logger.Error("a request's end cannot be stored", "request_id", r.id, "error", err)
	select {
	case r.s.unsaved <- unsavedEnd{proto.CloneOf(r.request), answered, whole}:
	default: // the sweep finds the row once this process is gone
	}
	err = storeFault(err, r.id)
	r.end(failed, wire.Failure(err))
	r.s.metrics.ended(r.request, r.s.deps.Clock().Sub(r.begin))
	return err
}

// finish commits a final state.
func (s *Service) finish(ctx context.Context, end unsavedEnd, place *outbox.Place) error {
	record := s.ending(ctx, end.request, end.whole)
	ctx = place.With(ctx, record.Record())
	var err error
	if end.whole {
		err = s.store.Add(ctx, end.request, s.instance, end.answered)
	} else {
		err = s.store.Finish(ctx, end.request, end.answered)
	}
	if err == nil {
		record.Release()
	}
	return err
}

func (r *run) end(state requestv1.Request_State, failure *conversationv1.Failure) {
	now := stamp(&r.finished, r.s.deps.Clock())
	r.request.State, r.request.FinishTime, r.request.UpdateTime = state, now, now
	r.request.Failure = nil
	if failure != nil {
		r.request.Failure = proto.CloneOf(failure)
	}
}
