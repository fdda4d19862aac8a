package response

import (
	"context"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/stacks"
)

// crowd is how many ends wait where what may be sent before is worth a write of its own.
const crowd = 16

// end is finish, in its turn. A stream waits for that on the stack that it waited for the
// model on, and the rest runs on one that is lent.
func (r *run) end(ctx context.Context, err error) error {
	r.parts.ending()
	if !r.takeTurn() {
		r.queue(ctx)
	}
	if !r.req.GetTurn().GetStream() {
		return r.finish(ctx, err)
	}
	return r.finishStream(ctx, err)
}

// queue waits for the turn. Many that wait send first what need not wait.
func (r *run) queue(ctx context.Context) {
	if r.s.waiting.Load() >= crowd {
		r.s.stacks.Do(stacks.Func(func() { r.sendTokens(ctx) })) // to a client that may be slow: its time is not the store's
	}
	lasting, stop := callctx.Lasting(ctx, r.s.cfg.StoreTimeout)
	defer stop()
	r.awaitTurn(lasting)
}

func (r *run) finishStream(ctx context.Context, err error) (told error) {
	r.s.stacks.Do(stacks.Func(func() { told = r.finish(ctx, err) }))
	return told
}

// takeTurn is awaitTurn where nobody need be waited for, and false elsewhere.
func (r *run) takeTurn() bool {
	if r.s.ends == nil || r.turn || r.log.Len() == 0 {
		return true
	}
	select {
	case r.s.ends <- struct{}{}:
		r.turn = true
	default:
	}
	return r.turn
}

// awaitTurn returns when few enough streams end, or ctx has ended: the write fails for
// itself then. giveTurn ends the turn.
func (r *run) awaitTurn(ctx context.Context) {
	if r.takeTurn() {
		return
	}
	r.s.waiting.Add(1)
	defer r.s.waiting.Add(-1)
	select {
	case r.s.ends <- struct{}{}:
		r.turn = true
		// Whoever gave the turn has made this goroutine the next to run.
		r.s.gate.Pass()
	case <-ctx.Done():
	}
}

// sendTokens sends what the chunk that is held begins with and what tells nothing of the
// end: it need not wait as the end does.
func (r *run) sendTokens(ctx context.Context) {
	if r.held == nil || r.rules != nil || r.guarding != nil || r.broken != nil {
		return
	}
	p, events, raw := r.parts, r.held.GetEvents(), r.held.GetRaw()
	if raw == nil {
		n := tokens(events)
		if n == 0 {
			return
		}
		r.note(events[:n])
		_ = r.pass(ctx, events[:n], nil) // what failed is noted
		events = events[n:]
	} else {
		size, count := r.log.Lead(raw.GetData())
		if count == 0 || size == len(raw.GetData()) || len(raw.ProtoReflect().GetUnknown()) > 0 {
			return
		}
		head := &p.leadRaw
		head.Wire, head.Form, head.Data, head.EventCount = raw.GetWire(), raw.GetForm(), raw.GetData()[:size], int32(count)
		_ = r.pass(ctx, nil, head)
		rest := &p.heldRaw
		rest.Wire, rest.Form, rest.Data, rest.EventCount = raw.GetWire(), raw.GetForm(), raw.GetData()[size:], raw.GetEventCount()-int32(count)
		p.held.Raw = rest
	}
	p.held.Events, r.held = events, &p.held
}

// tokens is how many of the events before the others are text.
func tokens(events []*conversationv1.Event) (n int) {
	for _, event := range events {
		switch event.GetKind().(type) {
		case *conversationv1.Event_Text, *conversationv1.Event_Reasoning:
			n++
		default:
			return n
		}
	}
	return n
}

func (r *run) giveTurn() {
	if r.turn {
		r.turn = false
		<-r.s.ends
	}
}
