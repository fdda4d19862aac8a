package openai

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// An event is three objects, of which none outlives the others for long: made as
// one they take one allocation.
type (
	startedParts struct {
		event   conversationv1.Event
		kind    conversationv1.Event_Started
		started conversationv1.Started
		created timestamppb.Timestamp
	}
	textParts struct {
		event conversationv1.Event
		kind  conversationv1.Event_Text
		delta conversationv1.TextDelta
	}
	choiceFinishedParts struct {
		event conversationv1.Event
		kind  conversationv1.Event_ChoiceFinished
		end   conversationv1.ChoiceFinished
	}
	usageParts struct {
		event conversationv1.Event
		kind  conversationv1.Event_Usage
	}
	finishedParts struct {
		event    conversationv1.Event
		kind     conversationv1.Event_Finished
		finished conversationv1.Finished
	}
)

func (p *startedParts) make() *startedParts {
	p.kind.Started = &p.started
	p.event.Kind = &p.kind
	return p
}

func (p *textParts) make(choice int32, text string, logprobs []*conversationv1.TokenLogprob) *conversationv1.Event {
	p.delta.Choice, p.delta.Text, p.delta.Logprobs = choice, text, logprobs
	p.kind.Text = &p.delta
	p.event.Kind = &p.kind
	return &p.event
}

func (p *choiceFinishedParts) make(choice int32, reason conversationv1.FinishReason, stopSequence string) *conversationv1.Event {
	p.end.Choice, p.end.Reason, p.end.StopSequence = choice, reason, stopSequence
	p.kind.ChoiceFinished = &p.end
	p.event.Kind = &p.kind
	return &p.event
}

func (p *usageParts) make(usage *conversationv1.Usage) *conversationv1.Event {
	p.kind.Usage = usage
	p.event.Kind = &p.kind
	return &p.event
}

func (p *finishedParts) make() *conversationv1.Event {
	p.kind.Finished = &p.finished
	p.event.Kind = &p.kind
	return &p.event
}

// eventRoom is room for the events of an answer that is one body: where it has one
// choice with one text they are made as one. Nil, and what is taken, is no room:
// then an event gets its own.
type eventRoom struct {
	events   [5]*conversationv1.Event // started, text, the end of its choice, usage and the end
	started  startedParts
	text     textParts
	end      choiceFinishedParts
	usage    usageParts
	finished finishedParts
}

// begin is the event that begins the answer, to be filled in.
func (r *eventRoom) begin() *startedParts {
	if r != nil && r.started.event.Kind == nil {
		return r.started.make()
	}
	return new(startedParts).make()
}

func (r *eventRoom) textEvent(choice int32, text string, logprobs []*conversationv1.TokenLogprob) *conversationv1.Event {
	if r != nil && r.text.event.Kind == nil {
		return r.text.make(choice, text, logprobs)
	}
	return new(textParts).make(choice, text, logprobs)
}

func (r *eventRoom) choiceFinishedEvent(choice int32, reason conversationv1.FinishReason, stopSequence string) *conversationv1.Event {
	if r != nil && r.end.event.Kind == nil {
		return r.end.make(choice, reason, stopSequence)
	}
	return new(choiceFinishedParts).make(choice, reason, stopSequence)
}

func (r *eventRoom) usageEvent(usage *conversationv1.Usage) *conversationv1.Event {
	if r != nil && r.usage.event.Kind == nil {
		return r.usage.make(usage)
	}
	return new(usageParts).make(usage)
}

func (r *eventRoom) finishedEvent() *conversationv1.Event {
	if r != nil && r.finished.event.Kind == nil {
		return r.finished.make()
	}
	return new(finishedParts).make()
}
