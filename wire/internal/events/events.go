// Package events makes the events that codecs give out. Those of the token path
// are made in one allocation each.
package events

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// text is an event that adds text: three objects, of which none outlives the others.
type text struct {
	event conversationv1.Event
	kind  conversationv1.Event_Text
	delta conversationv1.TextDelta
}

func (e *text) make(choice int32, text string) *conversationv1.Event {
	e.delta.Choice, e.delta.Text = choice, text
	e.kind.Text = &e.delta
	e.event.Kind = &e.kind
	return &e.event
}

// Text adds text to a choice.
func Text(choice int32, added string) *conversationv1.Event { return new(text).make(choice, added) }

// Texts appends events that add to a choice one behind the other: a text up to each of
// ends, which are positions in it. They are made in one allocation.
func Texts(dst []*conversationv1.Event, choice int32, whole string, ends []int) []*conversationv1.Event {
	list, start := make([]text, len(ends)), 0
	for i, end := range ends {
		dst, start = append(dst, list[i].make(choice, whole[start:end])), end
	}
	return dst
}

// Lent is memory for events that are good until it is used again. The zero value is ready.
type Lent struct {
	room []text
	used int
}

// maxLent is how many events memory is kept for, leastLent how many it is made for at least,
// where there was some before.
const (
	maxLent   = 512
	leastLent = 16
)

// Texts is the function Texts in lent memory.
func (l *Lent) Texts(dst []*conversationv1.Event, choice int32, whole string, ends []int) []*conversationv1.Event {
	if len(l.room)-l.used < len(ends) {
		size := len(ends)
		if len(l.room) > 0 { // what is given out of it stays there
			size = max(size, min(2*len(l.room), maxLent), leastLent)
		}
		l.room, l.used = make([]text, size), 0
	}
	start := 0
	for _, end := range ends {
		dst, start = append(dst, l.room[l.used].make(choice, whole[start:end])), end
		l.used++
	}
	return dst
}

// Back takes back all events that were made: they must not be used any more.
func (l *Lent) Back() {
	if l.used == 0 {
		return
	}
	spoil(l.room[:l.used])
	if spoils || len(l.room) > maxLent {
		l.room = nil
	}
	clear(l.room[:min(l.used, len(l.room))])
	l.used = 0
}

// Reasoning adds to a choice's block of reasoning.
func Reasoning(choice int32, text string) *conversationv1.Event {
	e := &struct {
		event conversationv1.Event
		kind  conversationv1.Event_Reasoning
		delta conversationv1.ReasoningDelta
	}{}
	e.delta.Choice, e.delta.Text = choice, text
	e.kind.Reasoning = &e.delta
	e.event.Kind = &e.kind
	return &e.event
}

// ToolCall begins or continues a tool call.
func ToolCall(delta *conversationv1.ToolCallDelta) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ToolCall{ToolCall: delta}}
}

// Signature ends a choice's block of reasoning.
func Signature(choice int32, signature string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{
		Reasoning: &conversationv1.ReasoningDelta{Choice: choice, Signature: signature},
	}}
}

// Redacted is a whole encrypted block of reasoning.
func Redacted(choice int32, data string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{
		Reasoning: &conversationv1.ReasoningDelta{Choice: choice, Redacted: data},
	}}
}

// Started is the first event.
func Started(started *conversationv1.Started) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: started}}
}

// ChoiceFinished ends a choice.
func ChoiceFinished(finished *conversationv1.ChoiceFinished) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: finished}}
}

// Usage is a count of tokens.
func Usage(usage *conversationv1.Usage) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: usage}}
}

// Finished ends an answer that is whole.
func Finished() *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}}
}

// Failed ends an answer that is not.
func Failed(failure *conversationv1.Failure) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: failure}}
}
