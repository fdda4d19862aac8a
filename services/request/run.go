package request

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/gen/scope"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/deferred"
	"github.com/gptmesh/gptmesh/pkg/durable"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/lifecycle"
	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// run is one request on its way. But for reins and done it belongs to
// the goroutine that handles it.
type run struct {
	s         *Service
	id, owner string
	submit    *requestv1.SubmitRequest
	said      said
	request   *requestv1.Request // row; Detached is read by others and never changes
	joined    joined
	begin     time.Time

	makeSession bool

	scope   scope.Scope // while its client waits
	until   scope.Deadline
	reins   scope.Reins // of scope, or of what takes its place
	lasting scope.Apart // of the end, which happens whoever leaves
	telling outbox.Place
	done    deferred.Latch // opened when the row is final, or left to others

	writes     durable.Group  // of the turn, in all rooms of this process
	accepting  deferred.Write // the row; on PostgreSQL its commit
	acceptErr  error
	acceptDone bool

	stream receiver // nil without a client

	flagging flagging

	watched string    // the model whose answers are observed; empty where none
	firstAt time.Time // when the first chunk came, where watched

	sequence int64 // of the last chunk passed on
	asked    bool  // the response room was asked: an answer may have been begun
	ended    bool  // the row is final and the terminal chunk went out
	gone     bool  // the client has left
	lost     bool  // the stream of the answer broke off inside the mesh
	broken   error // why the room itself stopped
	early    error // why the end cannot be stored, where nothing was passed on

	crowd     sync.Mutex
	followers int  // others who came with the same key, and follow the answer
	deserted  bool // its own client has left

	// What its messages are made of.
	row               requestv1.Request
	decided           decided
	created, finished timestamppb.Timestamp
	usage             conversationv1.Usage
	call              responsev1.GenerateRequest
	message           requestv1.SubmitResponse
}

// receiver is where the client gets the answer.
type receiver interface {
	Send(*requestv1.SubmitResponse) error
}

// show lends a chunk to the client, with the request where it is the first or the
// last.
func (r *run) show(request *requestv1.Request, chunk *conversationv1.Chunk) error {
	r.message.Request, r.message.Chunk = request, chunk
	return r.stream.Send(&r.message)
}

// join takes in one who follows the answer; false where it is being ended
// because everybody has left.
func (r *run) join() bool {
	r.crowd.Lock()
	defer r.crowd.Unlock()
	if r.deserted && r.followers == 0 {
		return false
	}
	r.followers++
	return true
}

// part lets one go who joined. The last one ends an answer whose client has left.
func (r *run) part() {
	r.crowd.Lock()
	defer r.crowd.Unlock()
	if r.followers--; r.followers == 0 && r.deserted && !r.stays() {
		r.reins.Cancel(errDeserted)
	}
}

// desert says that the run's own client has left; true where nobody else follows.
func (r *run) desert() bool {
	r.crowd.Lock()
	defer r.crowd.Unlock()
	r.deserted = true
	return r.followers == 0
}

// stays says that the answer goes on without its client.
func (r *run) stays() bool {
	switch r.submit.GetOnDisconnect() {
	case responsev1.DisconnectPolicy_DISCONNECT_POLICY_DRAIN, responsev1.DisconnectPolicy_DISCONNECT_POLICY_DETACH:
		return true
	}
	return r.request.GetDetached()
}

// handle sees a registered request through. The error is what a client who saw
// no terminal chunk gets.
func (s *Service) handle(ctx context.Context, r *run) error {
	left := false
	defer func() {
		if !left {
			s.dismiss(r)
		}
	}()
	ctx = r.writes.In(ctx)
	base := ctx
	if r.request.GetIdempotencyKey() != "" && !r.stays() {
		// Others may follow the answer under its key, and its client leave.
		base = context.WithoutCancel(ctx)
		if deadline, ok := ctx.Deadline(); ok {
			var stop context.CancelFunc
			base, stop = context.WithDeadline(base, deadline)
			defer stop()
		}
	}
	runCtx := &r.scope
	runCtx.StartAmong(&s.limits, &r.until, base, time.Now().Add(s.timeout(r.submit)), nil)
	defer func() {
		s.limits.Remove(&r.until)
		runCtx.Cancel(nil)
	}()
	if base != ctx {
		unhook := context.AfterFunc(ctx, func() {
			if errors.Is(ctx.Err(), context.Canceled) && r.desert() {
				runCtx.Cancel(context.Cause(ctx))
			}
		})
		defer unhook()
	}
	r.reins.Bind(runCtx)

	err := r.ask(runCtx)
	if r.ended {
		return r.early
	}
	if r.leaves(ctx, runCtx) {
		left = true
		s.work.Go(func() {
			defer s.dismiss(r)
			r.follow(ctx)
		})
		return wasCancelled()
	}
	return r.conclude(ctx, runCtx, err)
}

// ask asks the response room and relays what comes.
func (r *run) ask(ctx context.Context) error {
	if r.makeSession {
		if err := r.s.createSession(ctx, r.request.GetSessionId(), r.request.GetUserId()); err != nil {
			return err
		}
	}
	policy := r.submit.GetOnDisconnect()
	if r.request.GetDetached() {
		policy = responsev1.DisconnectPolicy_DISCONNECT_POLICY_DETACH
	}
	r.asked = true
	r.s.metrics.admission.Observe(r.s.deps.Clock().Sub(r.begin).Seconds())
	call := &r.call
	call.ResponseId, call.RequestId, call.Turn = r.request.GetResponseId(), r.id, r.joined.turn
	call.SessionId, call.NewMessages = r.request.GetSessionId(), r.joined.newMessages
	call.PostProcessing, call.Cache, call.OnDisconnect = r.submit.GetPostProcessing(), r.submit.GetCache(), policy
	err := r.s.deps.Response.Generate(ctx, call, func(m *responsev1.GenerateResponse) error { return r.take(ctx, m.GetChunk()) })
	switch {
	case fault.BrokeOff(err) && ctx.Err() == nil && !r.ended:
		return r.goOn(ctx, wasInterrupted(r.request.GetResponseId()))
	case err != nil:
		return r.unrouted(roomFault(err, "response"))
	case !r.ended:
		return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED, "the answer was cut off", "provider", "")
	}
	return nil
}

// take relays a chunk, which is borrowed. An error ends the answer.
func (r *run) take(ctx context.Context, chunk *conversationv1.Chunk) error {
	if r.ended {
		return nil
	}
	first, last := r.sequence == 0, wire.Last(chunk)
	if first && r.watched != "" {
		r.firstAt = r.s.deps.Clock()
	}
	if first && last == nil { // with the last, save sees to the row
		if err := r.awaitRows(ctx); err != nil {
			if r.acceptDone {
				r.broken = err // else the client left, which is no fault of the row
			}
			return err
		}
	}
	r.note(chunk.GetEvents())
	if first && last == nil {
		r.noteGuard(ctx, 0)
	}
	var request *requestv1.Request
	if last != nil {
		var err error
		chunk, err = r.finish(ctx, chunk, last)
		request, r.ended = r.request, true
		if err != nil && first {
			r.early = err
			return err
		}
	} else if first {
		request = r.request
	}
	r.sequence = chunk.GetSequence()
	if r.stream != nil && !r.gone {
		if err := r.show(request, chunk); err != nil {
			if r.gone = true; !r.ended && r.desert() {
				return err
			}
		}
	}
	if first && !r.ended {
		r.request.State = running
	}
	return nil
}

// note keeps what the row says of the answer.
func (r *run) note(events []*conversationv1.Event) {
	for _, event := range events {
		switch kind := event.GetKind().(type) {
		case *conversationv1.Event_Started:
			if r.request.GetDecision().GetModel() == "" {
				// The decision may be on its way into the store.
				r.request.Decision = proto.CloneOf(r.request.GetDecision())
				r.request.Decision.Model = kind.Started.GetModel()
			}
			r.dropped(kind.Started.GetDroppedFields())
			r.answeredBy(kind.Started)
		case *conversationv1.Event_Usage:
			r.request.Usage = wire.CopyUsageInto(&r.usage, kind.Usage)
		}
	}
}

// maxDropped bounds how many members are named that a provider could not take.
const maxDropped = 64

// dropped keeps which members of the turn the provider who answers could not
// take. Another provider, where the first failed, may take them.
func (r *run) dropped(fields []string) {
	if len(fields) == 0 && len(r.request.GetDecision().GetDroppedFields()) == 0 {
		return
	}
	r.request.Decision = proto.CloneOf(r.request.GetDecision()) // it may be on its way into the store
	r.request.Decision.DroppedFields = slices.Clone(fields[:min(len(fields), maxDropped)])
}

// awaitRows waits until the end of this process cannot take the row any more, nor
// what the other rooms have written for the turn.
func (r *run) awaitRows(ctx context.Context) error {
	if !r.acceptDone {
		over, err := r.accepting.Wait(ctx)
		if !over {
			return fault.From(err)
		}
		if err == nil {
			if err = r.writes.Written(ctx); err != nil && ctx.Err() != nil {
				return fault.From(err)
			}
		}
		r.acceptDone, r.acceptErr = true, storeFault(err, r.id)
	}
	return r.acceptErr
}

// awaitCommit waits until the row is durable, and what the other rooms have written.
func (r *run) awaitCommit(ctx context.Context) error {
	if err := r.awaitRows(ctx); err != nil {
		return err
	}
	return storeFault(r.writes.Wait(ctx), r.id)
}

// finish stores the final state that a terminal event brings. It returns the
// chunk to pass on: a failure, with the error, where the state cannot be stored.
func (r *run) finish(ctx context.Context, chunk *conversationv1.Chunk, last *conversationv1.Event) (*conversationv1.Chunk, error) {
	state := completed
	if f := last.GetFailed(); f != nil {
		state = stateOf(f)
	}
	if f := last.GetFailed(); unkept(f) {
		_ = r.settleNow(ctx, openEnd{state: state, failure: f}) // the failure is told as it is
		return chunk, nil
	}
	if err := r.save(ctx, state, last.GetFailed()); err != nil {
		return r.failing(chunk.GetSequence(), chunk.GetEvents(), fault.From(err)), err
	}
	return chunk, nil
}

// stateOf is the final state of a request whose answer failed.
func stateOf(f *conversationv1.Failure) requestv1.Request_State {
	switch f.GetReason() {
	case meshv1.ErrorReason_ERROR_REASON_CANCELLED:
		return cancelled
	case meshv1.ErrorReason_ERROR_REASON_INTERRUPTED:
		return interrupted
	}
	if unkept(f) {
		return interrupted // the provider may have been paid: it is not made again
	}
	return failed
}

// unkept says that an answer failed although the provider may have given it: the
// response room may store it yet.
func unkept(f *conversationv1.Failure) bool { return f.GetMetadata()["call"] == fault.CallBegun }

// failing is a terminal chunk of the room's own.
func (r *run) failing(sequence int64, events []*conversationv1.Event, f *fault.Fault) *conversationv1.Chunk {
	out := &conversationv1.Chunk{Sequence: sequence}
	if len(events) > 0 && events[0].GetStarted() != nil {
		out.Events = append(out.Events, events[0])
	}
	out.Events = append(out.Events, &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: wire.Failure(f)}})
	return out
}

// leaves says that the client has left and the answer goes on.
func (r *run) leaves(ctx, runCtx context.Context) bool {
	cause := context.Cause(runCtx)
	return r.stays() && r.broken == nil && !r.request.GetDetached() &&
		!errors.Is(cause, errCancelled) && !errors.Is(cause, lifecycle.ErrStopping) &&
		(r.gone || errors.Is(ctx.Err(), context.Canceled))
}

// conclude ends a request whose answer brought no terminal chunk.
func (r *run) conclude(ctx, runCtx context.Context, err error) error {
	f := fault.From(err)
	cause := context.Cause(runCtx)
	untold := r.s.deps.ResponseApart || f.Metadata["call"] == fault.CallBegun
	switch {
	case r.broken != nil:
		f = fault.From(r.broken)
	case errors.Is(cause, errCancelled):
		f = wasCancelled()
	case errors.Is(cause, lifecycle.ErrStopping):
		f = wasInterrupted(r.request.GetResponseId())
		if r.stays() && r.stream == nil {
			return f // the response room goes on: the row is left to a sweep
		}
	case r.gone, errors.Is(ctx.Err(), context.Canceled):
		f = wasCancelled()
	case runCtx.Err() != nil && f.Reason != meshv1.ErrorReason_ERROR_REASON_FIRST_TOKEN_TIMEOUT && f.Reason != meshv1.ErrorReason_ERROR_REASON_IDLE_TIMEOUT:
		in := "response"
		if f.Code == codes.DeadlineExceeded && f.Metadata["room"] != "" {
			in = f.Metadata["room"]
		}
		outcome := f.Metadata["outcome"]
		if f = deadline(in); outcome != "" {
			f.Metadata["outcome"] = outcome
		}
		if r.stays() {
			r.cancelAnswer(ctx)
		}
	}
	if !r.asked {
		f = fault.WithOutcome(f, fault.OutcomeNotBegun)
	}
	failure := wire.Failure(f)
	var saveErr error
	end := openEnd{
		state: stateOf(failure), failure: failure, late: runCtx.Err() != nil && f.Code == codes.DeadlineExceeded,
		wanted: errors.Is(cause, errCancelled) || r.gone || errors.Is(ctx.Err(), context.Canceled),
		untold: untold,
	}
	end.left = (end.wanted || end.late) && !r.stays()
	if r.broken == nil && r.asked && (end.wanted || end.late || r.lost || unkept(failure)) {
		// The answer may have come to its end for all that: its row says so.
		saveErr = r.settleNow(ctx, end)
	} else {
		if outcome := f.Metadata["outcome"]; outcome == fault.OutcomeUnknown || outcome == fault.OutcomePartial {
			r.lookUpUsage(ctx)
		}
		saveErr = r.save(ctx, stateOf(failure), failure)
	}
	if saveErr != nil {
		f = fault.From(saveErr)
	}
	r.ended = true
	if r.sequence == 0 || r.stream == nil || r.gone || ctx.Err() != nil {
		return f
	}
	if f.Reason == meshv1.ErrorReason_ERROR_REASON_INTERRUPTED {
		f = fault.New(f.Code, f.Reason, f.Message, "response_id", r.request.GetResponseId(), "last_sequence", strconv.FormatInt(r.sequence, 10))
	}
	if err := r.show(r.request, r.failing(r.sequence+1, nil, f)); err != nil {
		return err
	}
	return nil
}

// cancelAnswer ends an answer that would go on without its client.
func (r *run) cancelAnswer(ctx context.Context) {
	ctx, cancel := callctx.Lasting(ctx, r.s.cfg.SessionTimeout)
	defer cancel()
	if _, err := r.s.deps.Response.CancelResponse(ctx, &responsev1.CancelResponseRequest{ResponseId: r.request.GetResponseId()}); err != nil {
		r.s.deps.Logger.Warn("an answer cannot be cancelled", "response_id", r.request.GetResponseId(), "error", err)
	}
}

// follow sees an answer to its end without its client.
func (r *run) follow(ctx context.Context) {
	r.stream = nil
	bounded, stop := callctx.Lasting(ctx, r.s.timeout(r.submit))
	defer stop()
	runCtx := scope.WithCancel(bounded)
	defer runCtx.Cancel(nil)
	r.reins.Bind(runCtx)
	err := r.s.watch(runCtx, r.request, r.sequence, r.joined.turn.GetAcceptWire(), func(chunk *conversationv1.Chunk) error {
		return r.take(runCtx, chunk)
	})
	switch {
	case r.ended:
	case errors.Is(context.Cause(runCtx), lifecycle.ErrStopping): // a sweep finishes the row
	default:
		if err == nil {
			err = wasInterrupted(r.request.GetResponseId())
		}
		r.lost = true
		_ = r.conclude(bounded, runCtx, err)
	}
}
