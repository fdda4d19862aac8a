package gpt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync/atomic"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/gen/scope"
	"github.com/gptmesh/gptmesh/pkg/breaker"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// attempt is one call of a provider and its row of the ledger.
type attempt struct {
	call   *call
	way    *way
	row    gptv1.Attempt
	ledger entryInLedger
	meter  meter
	watch  watchdog
	span   attemptSpan

	contexts    *attemptContexts
	ctx         context.Context // of the attempt
	begun       time.Time
	noted       int64       // the beat of the last checkpoint
	reached     atomic.Bool // a byte may have gone to the provider
	sent        bool        // something of it reached the client
	terminal    bool        // the last chunk was sent, or tried to be
	failure     error       // why the attempt failed; nil where it did not
	sinkErr     error       // the client's side failed
	interrupted bool        // it broke off, and another may go on with its answer
	lost        bool        // another attempt of the call was quicker

	outbound provider.Call // as the provider gets it, where it is one for a turn
	// What the row points to.
	usage                   conversationv1.Usage
	reserveTime, settleTime timestamppb.Timestamp
}

var _ provider.Exchange = (*attempt)(nil)

// attemptContexts are the contexts of an attempt. They are used once.
type attemptContexts struct {
	scope    scope.Scope
	telling  scope.Valued // of the call to the provider, which tells the attempt about its exchange
	settling settling
}

func newAttempt(c *call, w *way) *attempt {
	target, route := w.option.Target, ""
	if c.plan.Route != nil {
		route = c.plan.Route.Name
	}
	a, contexts := &c.first.attempt, c.first.contexts
	if w.number > 1 {
		a, contexts = &attempt{}, nil
	}
	if contexts == nil {
		contexts = new(attemptContexts)
	}
	a.contexts = contexts
	a.call, a.way = c, w
	row := &a.row
	row.RequestId, row.ResponseId, row.SessionId = c.request.GetRequestId(), c.request.GetResponseId(), c.request.GetSessionId()
	row.UserId, row.Provider, row.Model, row.Number = c.request.GetUserId(), target.Entry.Info.Name, target.Name(), w.number
	row.Target, row.ProviderKey, row.Route = w.option.Place.Name, w.option.Place.Lane.Key, route
	row.Cause, row.Decision, row.State = w.cause, w.decision, gptv1.Attempt_STATE_RESERVED
	a.usage.InputTokens, a.usage.Source = c.estimate, conversationv1.UsageSource_USAGE_SOURCE_ESTIMATED
	row.Usage = &a.usage
	return a
}

// setTime makes t a time that is part of something.
func setTime(t *timestamppb.Timestamp, to time.Time) *timestamppb.Timestamp {
	t.Seconds, t.Nanos = to.Unix(), int32(to.Nanosecond())
	return t
}

// Ready implements provider.Exchange: no byte goes to the provider before the row
// is safe, or committed, as configured.
func (a *attempt) Ready() error {
	until := a.ledger.safe
	switch cfg := &a.call.service.cfg.Ledger; {
	case cfg.FlushFirst:
		until = a.ledger.wait
	case !cfg.ReserveFirst:
		a.reached.Store(true)
		return nil
	}
	if err := until(a.ctx); err != nil {
		a.meter.refused = true
		return err
	}
	a.reached.Store(true)
	return nil
}

// Answered implements provider.Exchange.
func (a *attempt) Answered(_ int, header upstream.Header) {
	a.way.option.Place.Quota.Read(header, a.call.service.deps.Clock())
}

// run makes the attempt. The error is nil where the client has got its terminal
// event, even if that is failed; outcome then tells what to think of the
// provider.
func (a *attempt) run(parent context.Context) (outcome breaker.Outcome, err error) {
	a.contexts.scope.Start(parent)
	defer a.contexts.scope.Cancel(nil)
	ctx := a.prepare(parent)
	defer func() { a.span.end(&a.row, err) }()
	err = a.generate(ctx)
	a.watch.stop()

	if a.terminal {
		return health(a.failure), a.sinkErr
	}
	if a.interrupted {
		return health(a.failure), a.failure
	}
	return a.fail(ctx, parent, err)
}

// prepare is start, for a stream on a lent stack.
func (a *attempt) prepare(parent context.Context) context.Context {
	if !a.call.turn.GetStream() {
		return a.start(parent)
	}
	a.ctx = parent
	a.call.service.stacks.Do((*starting)(a))
	return a.ctx
}

// starting is start.
type starting attempt

func (r *starting) Run() {
	a := (*attempt)(r)
	a.ctx = a.start(a.ctx)
}

// start begins the attempt: its row, its span and its watch.
func (a *attempt) start(parent context.Context) context.Context {
	s, within := a.call.service, &a.contexts.scope
	a.begun, a.noted = a.way.entered, s.progress.beat.Load()+1
	asked := callctx.From(parent)
	a.row.Id, a.row.Owner, a.ledger.correlation = ids.At("att", a.begun), asked.Owner(), asked.RequestID
	a.row.ReserveTime = setTime(&a.reserveTime, a.begun)
	a.row.QueueMicros = a.begun.Sub(a.call.arrived).Microseconds()
	price(&a.row, a.way.option.Target.Model)
	var ctx context.Context
	ctx, a.span = s.startSpan(within, &a.row, a.call.operation)
	a.ctx = ctx
	if a.call.free {
		a.ledger.settled = true // there is nothing to settle
	} else {
		a.ledger.reserve(ctx, s, &a.row, within)
		ctx = provider.WithExchange(ctx, a, &a.contexts.telling)
	}
	first, late := s.cfg.Timeouts.FirstToken, errFirstToken
	if !a.call.turn.GetStream() {
		first, late = s.cfg.Timeouts.Answer, errAnswer
	}
	if a.call.cautious {
		first = 0 // what is passed on has limits of its own
	}
	a.watch.start(within, first, s.cfg.Timeouts.Idle, late)
	return ctx
}

// generate calls the provider. A panic of an adapter is an error like others,
// so that the row is settled.
func (a *attempt) generate(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.Internal(fmt.Errorf("the adapter %s panicked: %v", a.way.option.Target.Entry.Info.Kind, p))
		}
	}()
	turn := a.call.turn
	if a.way.cause == gptv1.Attempt_CAUSE_CONTINUATION {
		if turn, err = a.call.seam.turn(turn); err != nil {
			return provider.Unsent(err)
		}
	}
	err = a.call.work.invoke(ctx, a, turn, func(chunk *conversationv1.Chunk) error { return a.sink(ctx, chunk) })
	if err == nil && !a.terminal && !a.interrupted {
		err = provider.Truncated(a.way.option.Target.Entry.Info.Name, errors.New("the adapter returned without a terminal event"))
	}
	return err
}

// sink passes a chunk on.
func (a *attempt) sink(ctx context.Context, chunk *conversationv1.Chunk) error {
	a.watch.pause()
	defer func() { a.watch.resume(a.sent) }()
	if len(chunk.GetEvents()) == 0 && chunk.GetRaw() == nil {
		return nil // a sign of life
	}
	if !a.sent {
		if failed := refusedAtOnce(chunk); failed != nil {
			return &provider.Error{Fault: wire.Fault(failed)}
		}
		// The end waits for the row anyway, which is settled behind its reservation.
		if wire.Last(chunk) == nil {
			if err := a.ledger.join(ctx); err != nil {
				return err
			}
		}
		if race := a.call.race; race != nil && !race.claim(a) {
			return errLost
		}
		a.row.FirstTokenMicros = max(a.call.service.deps.Clock().Sub(a.begun).Microseconds(), 1)
	}
	a.name(chunk)
	a.meter.add(chunk)
	if beat, due := a.call.service.progress.due(a.noted); due {
		a.noted = beat
		a.checkpoint()
	}
	if a.way.cause == gptv1.Attempt_CAUSE_CONTINUATION && !a.sent {
		a.call.seam.join(a, chunk)
	}
	if last := wire.Last(chunk); last != nil {
		return a.finish(ctx, chunk, last)
	}
	return a.send(chunk)
}

// name fills in what only the room knows of an answer's start.
func (a *attempt) name(chunk *conversationv1.Chunk) {
	for _, event := range chunk.GetEvents() {
		if started := event.GetStarted(); started != nil {
			started.AttemptId, started.SessionId = a.row.GetId(), a.row.GetSessionId()
			started.Target, started.AttemptNumber = a.row.GetTarget(), a.row.GetNumber()
			a.row.ProviderResponseId = started.GetProviderResponseId()
			a.span.dropped(started.GetDroppedFields())
			return
		}
	}
}

// refusedAtOnce finds the failure in a first chunk that holds no answer: to the
// client it is an error before the first chunk.
func refusedAtOnce(chunk *conversationv1.Chunk) *conversationv1.Failure {
	for _, event := range chunk.GetEvents() {
		switch kind := event.GetKind().(type) {
		case *conversationv1.Event_Started, *conversationv1.Event_Usage:
		case *conversationv1.Event_Failed:
			// With raw events beside it, deltas came in the same read.
			if chunk.GetRaw().GetEventCount() > 0 {
				return nil
			}
			return kind.Failed
		default:
			return nil
		}
	}
	return nil
}

// finish settles the row and sends the last chunk.
func (a *attempt) finish(ctx context.Context, chunk *conversationv1.Chunk, last *conversationv1.Event) error {
	a.row.Outcome = gptv1.Attempt_OUTCOME_COMPLETED
	if failed := last.GetFailed(); failed != nil {
		a.row.Outcome, a.row.Failure = gptv1.Attempt_OUTCOME_FAILED, failed
		a.failure = wire.Fault(failed)
	}
	a.call.service.measure(a)
	if err := a.ledger.settle(ctx, &a.contexts.settling); err != nil {
		return err
	}
	if a.failure != nil && a.interrupts(a.failure) {
		a.interrupt(a.failure)
		return errInterrupted
	}
	usage := a.row.GetUsage()
	if seam := a.call.seam; seam != nil && seam.usage != nil {
		usage = sum(seam.usage, usage)
	}
	if a.meter.usage == nil || usage != a.row.GetUsage() {
		// The provider told none, or not of all attempts: the client gets what the
		// ledger has.
		told := &conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: usage}}
		events := chunk.GetEvents()
		chunk.Events = append(events[:len(events)-1:len(events)-1], told, last)
	}
	a.terminal = true
	return a.send(chunk)
}

// errInterrupted ends an adapter's call whose answer another is to continue.
var errInterrupted = errors.New("the answer is left to be continued")

// interrupt leaves the answer to another attempt.
func (a *attempt) interrupt(err error) {
	a.interrupted = true
	a.call.seam.failure = err
	a.call.seam.add(a.row.GetUsage())
}

func (a *attempt) send(chunk *conversationv1.Chunk) error {
	a.sent = true
	a.call.begun.Store(true)
	if a.call.seam != nil {
		a.call.seam.note(chunk)
	}
	if err := a.call.work.send(chunk); err != nil {
		a.sinkErr = err
		return err
	}
	return nil
}

// fail settles an attempt without a terminal event, and tells the client.
func (a *attempt) fail(ctx, parent context.Context, err error) (breaker.Outcome, error) {
	s, name := a.call.service, a.way.option.Target.Entry.Info.Name
	a.meter.failed(err)
	err = a.about(s.ended(ctx, err, name))
	a.failure = err
	f := a.shown(err)
	a.row.Outcome, a.row.Failure = gptv1.Attempt_OUTCOME_FAILED, wire.Failure(f)
	if !a.sent && a.unknown(err) {
		a.row.Outcome = gptv1.Attempt_OUTCOME_UNKNOWN
		a.call.unknown.Store(true)
	}
	a.lost = errors.Is(context.Cause(parent), errLost)
	left := a.sinkErr != nil
	if parent.Err() != nil { // it may be the deadline that made the client's side fail
		left = errors.Is(context.Cause(parent), context.Canceled)
	}
	if left {
		a.row.Outcome = gptv1.Attempt_OUTCOME_CANCELLED
		a.row.Failure = wire.Failure(context.Canceled)
	}
	s.measure(a)
	if settleErr := a.ledger.settle(ctx, &a.contexts.settling); settleErr != nil && !left {
		err = settleErr
		f = fault.From(err)
	}
	switch {
	case a.sinkErr != nil:
		return breaker.Neutral, a.sinkErr
	case left:
		return breaker.Neutral, err
	case a.interrupts(err):
		a.interrupt(err)
		return health(err), err
	case !a.sent && !a.call.begun.Load():
		return health(err), err
	}
	a.terminal = true
	usage := a.row.GetUsage()
	if seam := a.call.seam; seam != nil {
		usage = sum(seam.usage, usage)
	}
	events := []*conversationv1.Event{
		{Kind: &conversationv1.Event_Usage{Usage: usage}},
		{Kind: &conversationv1.Event_Failed{Failed: wire.Failure(f)}},
	}
	if a.send(&conversationv1.Chunk{Events: events}) != nil {
		return health(err), err
	}
	return health(err), nil
}

// unknown says that nobody knows whether the provider worked: the request was
// sent, and ended before any answer.
func (a *attempt) unknown(err error) bool {
	failure := (*provider.Error)(nil)
	if errors.As(err, &failure) {
		return !failure.NotSent && !failure.Refused && failure.Status == 0 &&
			failure.Fault.Reason == meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE
	}
	return a.reached.Load()
}

// about names the model, as the client calls it, in errors that are about it.
func (a *attempt) about(err error) error {
	failure := (*provider.Error)(nil)
	if !errors.As(err, &failure) {
		return err
	}
	switch failure.Fault.Reason {
	case meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND, meshv1.ErrorReason_ERROR_REASON_CONTEXT_LENGTH_EXCEEDED,
		meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED:
	default:
		return err
	}
	named, f := *failure, *failure.Fault
	f.Metadata = maps.Clone(f.Metadata)
	if f.Metadata == nil {
		f.Metadata = map[string]string{}
	}
	if f.Metadata["limit"] == "0" {
		if limit := a.way.option.Target.Model.GetContextLength(); limit > 0 {
			f.Metadata["limit"] = strconv.FormatInt(limit, 10)
		}
	}
	f.Metadata["model"] = a.way.option.Target.Model.GetId()
	named.Fault = &f
	return &named
}

// shown is the error in the words of an answer that had begun.
func (a *attempt) shown(err error) *fault.Fault {
	f := fault.From(err)
	if a.sent && f.Reason == meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN {
		return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_INTERRUPTED,
			"the process was stopped before the end of the answer", "response_id", a.row.GetResponseId())
	}
	return f
}
