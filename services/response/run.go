package response

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gptmesh/gptmesh/gen/caller"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/gen/scope"
	"github.com/gptmesh/gptmesh/pkg/deferred"
	"github.com/gptmesh/gptmesh/pkg/durable"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/lifecycle"
	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/services/response/internal/answerlog"
	"github.com/gptmesh/gptmesh/services/response/internal/postprocess"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// Why a run is cancelled other than by its own context. Rooms in this process
// see the cause, those behind a wire a plain cancellation: both read the same.
var (
	errCancelled  = fmt.Errorf("somebody cancelled the answer: %w", context.Canceled)
	errClientGone = fmt.Errorf("the client has left: %w", context.Canceled)
)

// run is one answer in the making. But for log, done and reins it belongs to
// the goroutine that makes it.
type run struct {
	s         *Service
	id, owner string
	req       *responsev1.GenerateRequest
	parts     *parts
	response  *responsev1.Response // of parts, as a rule
	begin     time.Time

	scope   scope.Scope // of the model call
	reins   scope.Reins // of scope
	lasting scope.Apart // of the end, which happens whoever leaves
	telling outbox.Place
	log     answerlog.Log
	shared  bool           // others may read the log still; guarded by the service's lock
	users   int            // rounds of the journal that read it; guarded likewise
	done    deferred.Latch // opened when the row is final, or given up
	early   error          // the failure before the first chunk; set before the log is closed

	journaled int64        // chunks that the journal has; belongs to it
	stored    int64        // those that a table has; guarded by the service's storing
	journals  atomic.Int32 // whether some may be stored: unjournaled, journaled, or neverJournaled

	writes    *durable.Group // of the turn's rows; nil where each waits for itself
	begun     deferred.Write // the commit of the row
	beginErr  error
	beginDone bool

	stream receiver // nil where nobody reads but watchers

	sequence int64
	rules    *postprocess.Pipeline // nil without post-processing
	guarding *withholding          // nil unless the guard redacts or refuses
	keeping  caller.Keeping        // of the model call
	decoded  wire.Decoded          // what others of this process made of the raw answer
	raw      bool                  // some chunk had the raw half: the log is assembled at the end
	thought  bool
	said     bool                  // the model has said something
	plain    *[]byte               // of plains, where the log lies in it; given back with the log
	runs     *[]byte               // of runLogs, where the log lies as it is stored; given back then
	held     *conversationv1.Chunk // the chunk with the terminal event
	turn     bool                  // it is one of the service's ends
	broken   error                 // why the room itself stopped the model call
	answered []string              // the attempts that the answer is of; more than one where it was continued
	first    [1]string             // what answered lies in, as a rule
	spent    *conversationv1.Usage // of an answer that is not whole, as the ledger has it

	key  cacheKey
	ttl  time.Duration
	kept *keptAnswer // what the cache had
}

const (
	unjournaled    int32 = iota // no chunk is journaled yet
	journaled                   // pieces may be stored: the end removes them
	neverJournaled              // nor will any be: the end is on its way
)

// receiver is where the caller of Generate gets the answer.
type receiver interface {
	Send(*responsev1.GenerateResponse) error
}

// take takes a chunk of the model's answer, which is borrowed. An error stops
// the model call.
func (r *run) take(ctx context.Context, chunk *conversationv1.Chunk) error {
	if r.held != nil {
		return r.stop(brokenProtocol("a chunk after the end"))
	}
	for _, event := range chunk.GetEvents() {
		if err := r.parts.grammar.Accept(event); err != nil {
			return r.stop(err)
		}
	}
	if !r.parts.grammar.Started() {
		return r.stop(brokenProtocol("data before the start"))
	}
	if (r.rules != nil || r.guarding != nil) && chunk.GetRaw() != nil {
		return r.stop(brokenProtocol("raw data where typed events were asked for"))
	}
	r.said = r.said || holdsAnswer(chunk)
	if wire.Last(chunk) != nil {
		r.hold(chunk)
		return nil
	}
	events := chunk.GetEvents()
	r.note(events)
	if r.rules != nil {
		var err error
		if events, err = r.rules.Take(events); err != nil {
			return r.stop(err)
		}
		if len(events) == 0 {
			return nil
		}
	}
	if r.guarding != nil {
		var err error
		if events, err = r.guarding.take(ctx, events); err != nil {
			return r.stop(err)
		}
		if len(events) == 0 {
			return nil
		}
	}
	return r.pass(ctx, events, chunk.GetRaw())
}

// hold keeps the last chunk. What lasts of it already, or is the room's, is not
// copied.
func (r *run) hold(chunk *conversationv1.Chunk) {
	if r.keeping.May() {
		r.held = chunk
		return
	}
	raw := chunk.GetRaw()
	if raw == nil && r.decoded.OwnsEvents(chunk.GetEvents()) && len(chunk.ProtoReflect().GetUnknown()) == 0 {
		p := r.parts
		p.ending()
		p.held.Events = append(p.heldEvents[:0], chunk.GetEvents()...)
		p.held.Sequence = chunk.GetSequence()
		r.held = &p.held
		return
	}
	if raw == nil || len(raw.ProtoReflect().GetUnknown()) > 0 {
		r.held = proto.CloneOf(chunk)
		return
	}
	p, data := r.parts, raw.GetData()
	p.ending()
	p.held.Events = p.heldEvents[:0]
	if r.decoded.Owns(data) {
		p.held.Events = append(p.held.Events, chunk.GetEvents()...)
	} else {
		for _, event := range chunk.GetEvents() {
			p.held.Events = append(p.held.Events, p.endEvents.copy(event))
		}
		p.heldData = logs.Get().(*[]byte)
		*p.heldData = append((*p.heldData)[:0], data...)
		data = *p.heldData
	}
	p.heldRaw.Wire, p.heldRaw.Form, p.heldRaw.Data, p.heldRaw.EventCount = raw.GetWire(), raw.GetForm(), data, raw.GetEventCount()
	p.held.Sequence, p.held.Raw = chunk.GetSequence(), &p.heldRaw
	r.held = &p.held
}

// holdsAnswer tells whether a chunk holds anything of an answer.
func holdsAnswer(chunk *conversationv1.Chunk) bool {
	if chunk.GetRaw().GetEventCount() > 0 {
		return true
	}
	for _, event := range chunk.GetEvents() {
		switch event.GetKind().(type) {
		case *conversationv1.Event_Started, *conversationv1.Event_Usage, *conversationv1.Event_Failed:
		default:
			return true
		}
	}
	return false
}

// stop notes why the room ends the model call.
func (r *run) stop(err error) error {
	if r.broken == nil {
		r.broken = err
	}
	return err
}

// note keeps what the row says of the model.
func (r *run) note(events []*conversationv1.Event) {
	for _, event := range events {
		switch kind := event.GetKind().(type) {
		case *conversationv1.Event_Started:
			r.response.Model, r.response.Provider = kind.Started.GetModel(), kind.Started.GetProvider()
			r.response.DroppedFields = append([]string(nil), kind.Started.GetDroppedFields()...)
			r.response.Cached = r.kept != nil
			if id := kind.Started.GetAttemptId(); id != "" {
				r.answered = append(r.first[:0], id)
			}
			r.response.FirstEventTime = stamp(&r.parts.first, r.s.deps.Clock())
		case *conversationv1.Event_Usage:
			r.response.Usage = wire.CopyUsageInto(&r.parts.usage, kind.Usage)
		case *conversationv1.Event_Reasoning:
			r.thought = true
		case *conversationv1.Event_Continued:
			r.answered = append(r.answered, kind.Continued.GetAttemptId())
		}
	}
}

// pass numbers a chunk, logs it and sends it on.
func (r *run) pass(ctx context.Context, events []*conversationv1.Event, raw *conversationv1.RawChunk) error {
	if r.sequence == 0 {
		if err := r.awaitBegin(ctx); err != nil {
			return r.stop(err)
		}
		r.s.metrics.firstChunk.Observe(r.s.deps.Clock().Sub(r.begin).Seconds())
		events = r.withStarted(&r.parts.opening, events)
		if first, rest := r.split(events, raw); first != nil {
			if err := r.add(events, first, true); err != nil {
				return err
			}
			events, raw = nil, rest
		} else if raw == nil && len(events) > textsAtOnce && answerlog.Texts(events[1:]) == len(events)-1 { // behind started
			if err := r.add(events[:1], nil, true); err != nil {
				return err
			}
			events = events[1:]
		}
	}
	return r.add(events, raw, false)
}

// atOnce is how long the first chunk of an answer is, at least, that is split where its
// events become alike: so the log keeps their texts alone.
const atOnce = 2 << 10

// textsAtOnce is how many deltas of text have to stand behind the start in an answer's first
// chunk, at least, for the same in a typed one.
const textsAtOnce = 8

// split makes two of the raw half of an answer's first chunk; nil where it stays one.
func (r *run) split(events []*conversationv1.Event, raw *conversationv1.RawChunk) (first, rest *conversationv1.RawChunk) {
	data := raw.GetData()
	if len(data) < atOnce || len(events) != 1 || len(raw.ProtoReflect().GetUnknown()) > 0 {
		return nil, nil
	}
	size, count := r.log.Unlike(data)
	if size == 0 || count >= int(raw.GetEventCount()) {
		return nil, nil
	}
	part := func(data []byte, count int32) *conversationv1.RawChunk {
		return &conversationv1.RawChunk{Wire: raw.GetWire(), Form: raw.GetForm(), Data: data, EventCount: count}
	}
	return part(data[:size:size], int32(count)), part(data[size:], raw.GetEventCount()-int32(count))
}

// add logs a chunk and sends it on. more says that another one is there already.
func (r *run) add(events []*conversationv1.Event, raw *conversationv1.RawChunk, more bool) error {
	r.parts.chunk.Sequence, r.parts.chunk.Events, r.parts.chunk.Raw = r.sequence+1, events, raw
	if err := r.log.Append(&r.parts.chunk); err != nil {
		if errors.Is(err, answerlog.ErrTooLarge) {
			return r.stop(tooLarge(r.s.cfg.MaxAnswerBytes))
		}
		return r.stop(fault.Internal(err))
	}
	r.sequence++
	if raw != nil {
		r.raw = true
	} else if !r.raw {
		if r.sequence == 1 {
			r.lendText()
		}
		if err := r.parts.assembler.Add(events...); err != nil {
			return r.stop(err)
		}
	}
	r.parts.chunk.More = more
	err := r.deliver(&r.parts.chunk)
	r.parts.chunk.More = false // no part of what is logged
	if err != nil {
		r.reins.Cancel(errClientGone)
	}
	return err
}

// deliver lends a chunk to the caller, if there is one.
func (r *run) deliver(chunk *conversationv1.Chunk) error {
	if r.stream == nil {
		return nil
	}
	message := &r.parts.message
	message.Chunk = chunk
	return r.stream.Send(message)
}

// awaitBegin waits for the commit of the row.
func (r *run) awaitBegin(ctx context.Context) error {
	if !r.beginDone {
		over, err := r.begun.Wait(ctx)
		if !over {
			return err
		}
		r.beginDone, r.beginErr = true, storeFault(err, r.id)
	}
	return r.beginErr
}

// withStarted fills in the room's part of started, or puts a started of its own
// in front. The events given are left as they are, and what they hold is shared.
func (r *run) withStarted(o *opening, events []*conversationv1.Event) []*conversationv1.Event {
	started, rest := &o.started, events
	if from := firstStarted(events); from == nil {
		started.CreateTime = r.response.GetCreateTime()
	} else if rest = events[1:]; len(from.ProtoReflect().GetUnknown()) > 0 {
		started = wire.CopyStarted(from)
	} else {
		started.Model, started.Provider, started.ProviderResponseId = from.GetModel(), from.GetProvider(), from.GetProviderResponseId()
		started.CreateTime, started.DroppedFields = from.GetCreateTime(), from.GetDroppedFields()
		started.AttemptId, started.Target, started.AttemptNumber = from.GetAttemptId(), from.GetTarget(), from.GetAttemptNumber()
	}
	started.ResponseId, started.SessionId, started.Cached = r.id, r.req.GetSessionId(), r.kept != nil
	o.kind.Started, o.event.Kind = started, &o.kind
	return append(append(o.events[:0], &o.event), rest...)
}

func firstStarted(events []*conversationv1.Event) *conversationv1.Started {
	if len(events) == 0 {
		return nil
	}
	return events[0].GetStarted()
}

// ending says how the model call ended: the state, and the failure where it is
// not completed.
func (r *run) ending(ctx context.Context, err error) (responsev1.Response_State, *fault.Fault) {
	failed := func(err error) (responsev1.Response_State, *fault.Fault) {
		return responsev1.Response_STATE_FAILED, fault.From(err)
	}
	cause := context.Cause(ctx)
	switch {
	case r.broken != nil && !isContextError(r.broken):
		if fault.Is(r.broken, meshv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE) {
			return failed(fault.AfterCall(fault.From(r.broken)))
		}
		return failed(r.broken)
	case r.held != nil && wire.Last(r.held).GetFinished() != nil:
		return responsev1.Response_STATE_COMPLETED, nil
	case errors.Is(cause, lifecycle.ErrStopping):
		return responsev1.Response_STATE_INTERRUPTED, interrupted(r.id, r.sequence)
	case errors.Is(ctx.Err(), context.Canceled):
		return responsev1.Response_STATE_CANCELLED, cancelled()
	case r.held != nil:
		f := wire.Fault(wire.Last(r.held).GetFailed())
		if f.Reason == meshv1.ErrorReason_ERROR_REASON_CANCELLED {
			return responsev1.Response_STATE_CANCELLED, f
		}
		return responsev1.Response_STATE_FAILED, f
	case err == nil:
		return failed(fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED,
			"the answer was cut off", "provider", r.response.GetProvider()))
	}
	f := fault.From(err)
	switch {
	case fault.BrokeOff(err):
		f = interrupted(r.id, r.sequence)
		f.Metadata["room"] = "gpt"
		return responsev1.Response_STATE_INTERRUPTED, f
	case ctx.Err() != nil && f.Metadata["room"] == "" && (isContextError(err) || f.Code == codes.Canceled || f.Code == codes.DeadlineExceeded):
		f = fault.New(codes.DeadlineExceeded, meshv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED,
			"the deadline ran out while the model answered", "room", "gpt")
	case f.Reason == meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE && f.Metadata["room"] == "":
		f = fault.New(f.Code, f.Reason, "the gpt room cannot be reached", "room", "gpt").WithCause(f.Cause)
	}
	return responsev1.Response_STATE_FAILED, f
}

func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
