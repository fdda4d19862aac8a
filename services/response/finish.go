package response

import (
	"context"
	"strconv"
	"strings"
	"sync"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/response/internal/answerlog"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/proto"
)

// finishing is the end of an answer on its way into the store.
type finishing struct {
	final    store.Final
	terminal *conversationv1.Chunk
	last     []byte        // terminal, marshalled; nil where it is not yet
	end      answerlog.End // the log with terminal, where runs is set
	runs     bool
	failure  *fault.Fault // nil where completed
	whole    bool         // there is no row yet
	unsure   bool         // nobody knows whether there is one
	append   *sessionv1.AppendMessagesRequest
	kept     bool    // it waits to be stored
	lent     *[]byte // what final.Log lies in, where that is given back
	intent   *[]byte // what final.Intent lies in, likewise
}

// logs are buffers for logs on their way into the store, which keeps its own
// packed form of them.
var logs = sync.Pool{New: func() any { return new([]byte) }}

// plains are buffers for logs of one chunk: in one of them the answer's own log
// has that chunk, until nobody reads it any more. They grow to store.MaxPlain at most.
var plains = sync.Pool{New: func() any {
	room := make([]byte, 0, 2<<10)
	return &room
}}

// intents are buffers for intents on their way into the store.
var intents = sync.Pool{New: func() any { return new([]byte) }}

// runLogs are buffers for logs in their stored form on their way into the store, up to
// maxRuns.
var runLogs = sync.Pool{New: func() any { return new([]byte) }}

// maxRuns is the size up to which a store copies the log into memory that is there.
const maxRuns = 12 << 10

// maxLent is the largest buffer that is kept for reuse.
const maxLent = 1 << 20

// release gives the log's buffer back.
func (f *finishing) release() {
	if f.lent != nil && cap(*f.lent) <= maxLent {
		logs.Put(f.lent)
	}
	f.lent, f.final.Log = nil, nil
}

// finish brings an answer to its end after the model call ended with err: row,
// session, terminal chunk, in this order.
func (r *run) finish(ctx context.Context, err error) error {
	defer r.giveTurn()
	state, failure := r.ending(ctx, err)
	var events []*conversationv1.Event
	var raw *conversationv1.RawChunk
	if r.held != nil {
		events, raw = r.held.GetEvents(), r.held.GetRaw()
		r.note(events)
		events = events[:len(events)-1] // the terminal event comes back at the end
	}
	if r.rules != nil {
		events, failure = r.process(events, state, failure)
	}
	if r.guarding != nil {
		r.giveTurn() // the classifier takes its time
		events, failure = r.withhold(ctx, events, state, failure)
	}
	if failure == nil {
		failure = r.complete(events, raw)
	} else if r.held != nil && wire.Last(r.held).GetFinished() != nil {
		raw = nil // it holds the end of an answer that did not end well
	}
	if failure != nil && state == responsev1.Response_STATE_COMPLETED {
		state = responsev1.Response_STATE_FAILED
		events, raw = nil, nil
	}
	if failure != nil && r.sequence == 0 && r.said && failure.Metadata["outcome"] == "" {
		// Its caller sees an error and no chunk; the provider has worked.
		failure = fault.WithOutcome(failure, fault.OutcomePartial)
	}
	r.account(ctx, err, state, failure)
	f := r.assemble(state, failure, events, raw)
	switch {
	case r.guarding != nil:
		r.response.Guard = r.guarding.result()
	case state == responsev1.Response_STATE_COMPLETED:
		r.response.Guard = r.guard(ctx)
	}

	lastingCtx := &r.lasting // only now: others have taken their time
	lastingCtx.Start(ctx, r.s.cfg.StoreTimeout)
	defer lastingCtx.Stop()
	r.awaitTurn(lastingCtx)
	r.save(lastingCtx, f)
	r.giveTurn()
	if !f.kept { // not held while the client is waited for
		if f.intent != nil {
			intents.Put(f.intent)
			f.intent, f.final.Intent = nil, nil
		}
		if f.lent != nil {
			f.release()
		}
		if r.runs != nil {
			runLogs.Put(r.runs)
			r.runs, f.end.Runs, f.final.Stored = nil, nil, nil
		}
	}
	r.s.metrics.ended(r.response.GetState(), r.response.GetFailure(), r.s.deps.Clock().Sub(r.begin))
	appended := false
	if f.append != nil && r.response.GetState() == responsev1.Response_STATE_COMPLETED {
		// The session must not hold an answer that is lost.
		var err error
		if !r.s.deps.SessionBehind {
			err = r.writes.Wait(lastingCtx)
		}
		if err != nil {
			r.fail(f, fault.From(storeFault(err, r.id)))
		} else {
			appended = r.s.appendFirst(ctx, r.id, f.append)
		}
	}
	if r.s.cache != nil && r.ttl > 0 && r.kept == nil && r.response.GetGuard().GetAction() < conversationv1.GuardAction_GUARD_ACTION_REDACTED && r.response.GetState() == responsev1.Response_STATE_COMPLETED {
		r.s.cache.put(r.key, r.keep(f))
	}
	err = r.conclude(ctx, f)
	if appended && r.writes.Wait(lastingCtx) == nil {
		r.s.settleSoon(r.id)
	}
	return err
}

// process runs the rules over the last events. Only an answer that the model
// finished lets go of what was held back.
func (r *run) process(events []*conversationv1.Event, state responsev1.Response_State, failure *fault.Fault) ([]*conversationv1.Event, *fault.Fault) {
	events, err := r.rules.Take(events)
	if err == nil && state == responsev1.Response_STATE_COMPLETED {
		var more []*conversationv1.Event
		more, r.parts.found, err = r.rules.End()
		events = append(events, more...)
	}
	if err != nil && failure == nil {
		return nil, fault.From(err)
	}
	if err != nil {
		events = nil
	}
	return events, failure
}

// withhold lets the guard see the last events. Only an answer that the model
// finished lets go of what was held back.
func (r *run) withhold(ctx context.Context, events []*conversationv1.Event, state responsev1.Response_State, failure *fault.Fault) ([]*conversationv1.Event, *fault.Fault) {
	if failure != nil || state != responsev1.Response_STATE_COMPLETED {
		return nil, failure
	}
	events, err := r.guarding.take(ctx, events)
	if err == nil {
		events, err = r.guarding.end(ctx, events)
	}
	if err != nil {
		return nil, fault.From(err)
	}
	return events, nil
}

// complete adds the last events to the answer and says what is wrong with it.
func (r *run) complete(events []*conversationv1.Event, raw *conversationv1.RawChunk) *fault.Fault {
	if raw != nil || r.raw {
		if err := r.assembleLog(events, raw, true); err != nil {
			if r.req.GetSessionId() != "" {
				return fault.From(err)
			}
			// The client has the answer in its own wire; only the row lacks a part of it.
			r.s.deps.Logger.Warn("a part of an answer cannot be decoded", "response_id", r.id, "error", err)
			_ = r.assembleLog(events, raw, false)
			r.parts.answer = r.parts.assembler.AppendChoices(r.parts.made[:0])
			return nil
		}
	} else if err := r.parts.assembler.Add(events...); err != nil {
		return fault.From(err)
	}
	// Tokens that are counted and not shown were thought in secret.
	thought := r.thought || r.rules != nil && r.rules.Thought() || r.response.GetUsage().GetOutputTokens() > 0
	r.parts.answer = r.parts.assembler.AppendChoices(r.parts.made[:0])
	if blank(r.parts.answer, thought) {
		return emptyAnswer(r.response.GetModel())
	}
	return nil
}

// blank says that an answer has nothing in any choice, and no reason to.
func blank(choices []wire.Choice, thought bool) bool {
	for _, choice := range choices {
		switch choice.FinishReason {
		case conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER, conversationv1.FinishReason_FINISH_REASON_LOAD,
			conversationv1.FinishReason_FINISH_REASON_UNLOAD, conversationv1.FinishReason_FINISH_REASON_PAUSE,
			conversationv1.FinishReason_FINISH_REASON_REFUSAL:
			return false
		}
		for _, part := range choice.Message.GetParts() {
			switch kind := part.GetKind().(type) {
			case *conversationv1.ContentPart_Text:
				if strings.TrimSpace(kind.Text) != "" {
					return false
				}
			case *conversationv1.ContentPart_Reasoning:
				thought = true
			default:
				return false
			}
		}
		if thought && choice.FinishReason == conversationv1.FinishReason_FINISH_REASON_LENGTH {
			return false
		}
	}
	return true
}

// assemble makes the final row, the terminal chunk and the append of the
// answer.
func (r *run) assemble(state responsev1.Response_State, failure *fault.Fault, events []*conversationv1.Event, raw *conversationv1.RawChunk) *finishing {
	p := r.parts
	now := stamp(&p.finished, r.s.deps.Clock())
	f := &p.end
	f.failure = failure
	if state != responsev1.Response_STATE_COMPLETED {
		if raw != nil || r.raw {
			_ = r.assembleLog(events, raw, false) // what there is of it
		} else {
			_ = p.assembler.Add(events...)
		}
	}
	r.response.State, r.response.FinishTime = state, now
	choices := r.parts.answer
	if choices == nil || state != responsev1.Response_STATE_COMPLETED { // more may have come
		choices = p.assembler.AppendChoices(p.made[:0])
	}
	r.response.Choices = p.choices[:0]
	for i, choice := range choices {
		out := &p.choice
		if i > 0 {
			out = new(responsev1.Choice)
		}
		out.Index, out.Message, out.FinishReason, out.StopSequence = choice.Index, choice.Message, choice.FinishReason, choice.StopSequence
		if choice.Index == 0 {
			out.Message.Id = r.id
		}
		r.response.Choices = append(r.response.Choices, out)
	}
	r.response.JsonOutput, r.response.Redactions = r.parts.found.JSON, r.parts.found.Redactions
	if r.kept != nil {
		r.response.JsonOutput, r.response.Redactions = r.kept.response.GetJsonOutput(), r.kept.response.GetRedactions()
	}

	var last *conversationv1.Event
	if failure != nil {
		r.response.Failure = wire.Failure(failure)
		last = &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: r.response.Failure}}
	} else if at := wire.Last(r.held).GetFinished().GetFinishTime(); at != nil {
		last = p.last.make(at)
	} else {
		last = p.last.make(now)
	}
	all := events[:len(events):len(events)]
	if r.sequence == 0 {
		all = r.withStarted(&p.opening, events)
	}
	all = append(withUsage(all, r.spent), last)
	f.terminal = &p.terminal
	f.terminal.Sequence, f.terminal.Events, f.terminal.Raw = r.sequence+1, all, raw
	r.response.LastSequence = f.terminal.GetSequence()
	if state == responsev1.Response_STATE_COMPLETED {
		f.append = r.sessionAppend()
	}
	f.final.Response = r.response
	return f
}

// sessionAppend is what the session will hold of the turn; nil without a
// session, or where the answer has no message to show.
func (r *run) sessionAppend() *sessionv1.AppendMessagesRequest {
	if r.req.GetSessionId() == "" || len(r.response.GetChoices()) == 0 || len(r.response.GetChoices()[0].GetMessage().GetParts()) == 0 {
		return nil
	}
	out := &sessionv1.AppendMessagesRequest{
		SessionId: r.req.GetSessionId(), Messages: make([]*conversationv1.Message, 0, len(r.req.GetNewMessages())+1),
	}
	for i, m := range r.req.GetNewMessages() {
		if m.GetId() == "" { // so that appending twice is appending once
			m = &conversationv1.Message{
				Id: r.id + "." + strconv.Itoa(i), Role: m.GetRole(), Parts: m.GetParts(), Name: m.GetName(),
				WireRole: m.GetWireRole(), ExtraJson: m.GetExtraJson(),
			}
		}
		out.Messages = append(out.Messages, m)
	}
	out.Messages = append(out.Messages, r.response.GetChoices()[0].GetMessage())
	return out
}

// fail turns the end into a failure.
func (r *run) fail(f *finishing, failure *fault.Fault) {
	r.response = proto.CloneOf(r.response)
	r.response.State, r.response.Failure = responsev1.Response_STATE_FAILED, wire.Failure(failure)
	events := []*conversationv1.Event{{Kind: &conversationv1.Event_Failed{Failed: r.response.Failure}}}
	if r.sequence == 0 {
		events = r.withStarted(new(opening), events)
	}
	f.terminal = &conversationv1.Chunk{Sequence: r.sequence + 1, Events: events}
	f.failure, f.append, f.last, f.runs = failure, nil, nil, false
	f.final = store.Final{Response: r.response}
}

// keep is the answer as the cache holds it.
func (r *run) keep(f *finishing) *keptAnswer {
	entries, err := answerlog.Split(f.final.Log)
	if err != nil {
		entries = nil // cannot be: this run made the frames
	}
	return &keptAnswer{entries: entries, response: r.response, at: r.s.deps.Clock(), ttl: r.ttl}
}

// conclude lets the terminal chunk out.
func (r *run) conclude(ctx context.Context, f *finishing) error {
	if f.failure != nil && r.sequence == 0 {
		r.early = f.failure
	}
	if f.runs {
		r.log.SealEnd(f.end)
	} else if f.last != nil {
		r.log.SealEntry(f.last)
	} else if err := r.log.Seal(f.terminal); err != nil {
		r.s.deps.Logger.Error("a terminal chunk cannot be marshalled", "response_id", r.id, "error", err)
	}
	if r.early != nil {
		return r.early
	}
	if err := r.deliver(f.terminal); err != nil {
		if f.failure != nil {
			return f.failure
		}
		return err
	}
	return nil
}
