package request

import (
	"context"
	"errors"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// openEnd is a request whose answer's end did not come through: the response
// room knows it, or will.
type openEnd struct {
	request *requestv1.Request
	// state and failure are the end where the response room has no such answer.
	state   requestv1.Request_State
	failure *conversationv1.Failure
	// answered says that the client has seen a part of the answer.
	answered bool
	// wanted says that somebody ended the request, rather than lost it.
	wanted bool
	// late says that the request ended because its time ran out.
	late bool
	// untold says that the response room may not be done with the answer.
	untold bool
	// left says that nobody waits for the answer, and that it should have ended with its
	// call: one that is not there yet need not come.
	left bool
	// doubtful says that the request's own row may come yet.
	doubtful bool
	// patience is until when an answer or a row that is not there may come yet.
	patience time.Time
}

// settleOpen finishes what is open, by what the response room says now.
func (s *Service) settleOpen(ctx context.Context) error {
	for range len(s.open) {
		end := <-s.open
		done, err := s.settle(ctx, end)
		if !done {
			s.leaveOpen(end)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settle finishes one request by what became of its answer; false where that
// still runs, or the response room cannot be asked.
func (s *Service) settle(ctx context.Context, end openEnd) (bool, error) {
	request, early := end.request, s.deps.Clock().Before(end.patience)
	if early && end.doubtful {
		return false, nil // its answer is no news before its row
	}
	answer, known := s.lookUp(ctx, request)
	if known && answer == nil && early && end.left {
		answer, known = s.forestall(ctx, request)
	}
	if !known || answer == nil && early {
		return false, nil
	}
	request.State, request.Failure = end.verdict(answer)
	if answer.GetUsage() != nil {
		request.Usage = answer.GetUsage()
	}
	now := timestamppb.New(s.deps.Clock())
	request.FinishTime, request.UpdateTime = now, now
	// An answer that failed before anything of it was passed on has one chunk.
	answered := end.answered || answer.GetFirstEventTime() != nil || answer.GetLastSequence() > 1
	if err := s.finish(ctx, unsavedEnd{request: request, answered: answered}, new(outbox.Place)); err != nil && !errors.Is(err, store.ErrFinal) {
		return false, err
	}
	return true, nil
}

// forestall has an answer kept as cancelled that the response room does not know of, so
// that it does not come any more; it says what lookUp does.
func (s *Service) forestall(ctx context.Context, request *requestv1.Request) (answer *responsev1.Response, known bool) {
	bounded, cancel := context.WithTimeout(owned(ctx, request), s.cfg.SessionTimeout)
	defer cancel()
	resp, err := s.deps.Response.CancelResponse(bounded, &responsev1.CancelResponseRequest{
		ResponseId: request.GetResponseId(), RequestId: request.GetId(),
	})
	if err != nil {
		s.deps.Logger.Warn("an answer cannot be forestalled", "request_id", request.GetId(), "error", err)
		return nil, false
	}
	return resp.GetResponse(), resp.GetResponse().GetState() != responsev1.Response_STATE_RUNNING
}

// owned is ctx for calls on behalf of a request's owner.
func owned(ctx context.Context, request *requestv1.Request) context.Context {
	return callctx.With(ctx, callctx.Call{
		RequestID: request.GetId(),
		Principal: callctx.Principal{ID: request.GetOwner(), Kind: callctx.Room, Internal: true},
	})
}

// lookUp asks for a request's answer. It is known where it is final, or where
// the response room has none: then it is nil.
func (s *Service) lookUp(ctx context.Context, request *requestv1.Request) (answer *responsev1.Response, known bool) {
	bounded, cancel := context.WithTimeout(owned(ctx, request), s.cfg.SessionTimeout)
	defer cancel()
	resp, err := s.deps.Response.GetResponse(bounded, &responsev1.GetResponseRequest{ResponseId: request.GetResponseId()})
	switch {
	case fault.Is(err, meshv1.ErrorReason_ERROR_REASON_RESPONSE_NOT_FOUND):
		return nil, true
	case err != nil:
		s.deps.Logger.Warn("the answer of a request cannot be looked up", "request_id", request.GetId(), "error", err)
		return nil, false
	}
	return resp.GetResponse(), resp.GetResponse().GetState() != responsev1.Response_STATE_RUNNING
}

// verdict is the final state that an answer makes of a request.
func (e openEnd) verdict(answer *responsev1.Response) (requestv1.Request_State, *conversationv1.Failure) {
	lost := wire.Failure(wasInterrupted(e.request.GetResponseId()))
	switch answer.GetState() {
	case responsev1.Response_STATE_COMPLETED:
		return completed, nil
	case responsev1.Response_STATE_CANCELLED:
		// Whoever ended it did so for this request, or was the process of it that
		// stopped.
		switch {
		case e.late:
			return e.state, e.failure
		case !e.wanted && !e.request.GetDetached():
			return interrupted, lost
		}
		return cancelled, answer.GetFailure()
	case responsev1.Response_STATE_FAILED:
		if e.late && answer.GetFailure().GetReason() == e.failure.GetReason() && answer.GetFailure().GetMetadata()["room"] == "" {
			return e.state, e.failure // it names the room that was slow
		}
		return stateOf(answer.GetFailure()), answer.GetFailure()
	case responsev1.Response_STATE_INTERRUPTED:
		return interrupted, answer.GetFailure()
	}
	return e.state, e.failure
}

// goOn follows an answer whose stream broke off inside the mesh: the room that
// makes it may live, or another process knows what is left of it. An error is
// lost, or why the room itself stopped.
func (r *run) goOn(ctx context.Context, lost error) error {
	r.lost = true
	bounded, cancel := context.WithCancel(ctx)
	defer cancel()
	patience := time.AfterFunc(r.s.cfg.ResumeTimeout, cancel)
	defer patience.Stop()
	for {
		err := r.s.deps.Response.WatchResponse(bounded, &responsev1.WatchResponseRequest{
			ResponseId: r.request.GetResponseId(), AfterSequence: r.sequence, AcceptWire: r.joined.turn.GetAcceptWire(),
		}, func(m *responsev1.WatchResponseResponse) error {
			patience.Reset(r.s.cfg.ResumeTimeout)
			return r.take(ctx, notCancelled(m.GetChunk(), r.request.GetResponseId()))
		})
		switch {
		case r.ended:
			return nil
		case r.gone || r.broken != nil || ctx.Err() != nil:
			return err
		case bounded.Err() != nil || fault.Is(err, meshv1.ErrorReason_ERROR_REASON_RESPONSE_NOT_FOUND):
			return lost
		}
		if r.s.pause(bounded, r.s.cfg.PollInterval) != nil {
			return lost
		}
	}
}

// notCancelled makes the end of an answer that was cancelled because its stream
// broke off, which nobody asked for, that of an interrupted one. The chunk given
// is left as it is.
func notCancelled(chunk *conversationv1.Chunk, responseID string) *conversationv1.Chunk {
	if failed := wire.Last(chunk).GetFailed(); failed.GetReason() != meshv1.ErrorReason_ERROR_REASON_CANCELLED {
		return chunk
	}
	chunk = proto.CloneOf(chunk)
	f := wasInterrupted(responseID)
	chunk.Events[len(chunk.Events)-1] = &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: wire.Failure(f)}}
	return chunk
}

// settleNow ends a request whose answer's end did not come through, by what
// the response room says. Where it cannot say yet, the row is finished in the
// background. The error is of the row.
func (r *run) settleNow(ctx context.Context, end openEnd) error {
	ctx, cancel := callctx.Lasting(ctx, r.s.cfg.StoreTimeout)
	defer cancel()
	end.request, end.answered = r.request, r.sequence > 0
	state, failure := end.state, end.failure
	if end.untold || unkept(failure) {
		end.patience = r.s.patience()
	}
	// A cancellation is on its way to the response room.
	for tries := 0; tries < 8; tries++ {
		answer, known := r.s.lookUp(ctx, r.request)
		if known && (answer != nil || end.patience.IsZero()) {
			if answer.GetUsage() != nil {
				r.request.Usage = answer.GetUsage()
			}
			state, failure = end.verdict(answer)
			if state == completed && r.request.GetState() == accepted {
				r.request.State = running
			}
			return r.save(ctx, state, failure)
		}
		if answer == nil && !(known && end.untold) {
			break // it cannot be asked, or has nothing to tell soon
		}
		if r.s.pause(ctx, time.Millisecond<<tries) != nil {
			break
		}
	}
	if err := r.awaitCommit(ctx); err != nil {
		return r.save(ctx, state, failure) // there is no row
	}
	r.noteGuard(ctx, guardGrace)
	end.request = proto.CloneOf(r.request)
	r.s.leaveOpen(end)
	return nil
}

// lookUpUsage takes what an answer has used of which no chunk came.
func (r *run) lookUpUsage(ctx context.Context) {
	ctx, cancel := callctx.Lasting(ctx, r.s.cfg.SessionTimeout)
	defer cancel()
	if answer, _ := r.s.lookUp(ctx, r.request); answer.GetUsage() != nil {
		r.request.Usage = answer.GetUsage()
	}
}

// patience is until when a write that is under way somewhere may take effect.
func (s *Service) patience() time.Time { return s.deps.Clock().Add(2 * s.cfg.StoreTimeout) }

// leaveOpen has a request settled in the background.
func (s *Service) leaveOpen(end openEnd) {
	select {
	case s.open <- end:
	default: // a sweep finds the row once this process is gone
	}
}

// doubt ends a request whose row was not acknowledged, and may be there for all that:
// a commit whose answer was lost has happened or has not.
func (r *run) doubt(failure *conversationv1.Failure) {
	r.end(failed, failure)
	r.s.leaveOpen(openEnd{request: proto.CloneOf(r.request), state: failed, failure: failure, doubtful: true, patience: r.s.patience()})
}
