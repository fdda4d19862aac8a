package anthropic

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// The events of the token path are made in one allocation each.

func textEvent(text string) *conversationv1.Event {
	e := &struct {
		event conversationv1.Event
		kind  conversationv1.Event_Text
		delta conversationv1.TextDelta
	}{}
	e.delta.Text = text
	e.kind.Text = &e.delta
	e.event.Kind = &e.kind
	return &e.event
}

func reasoningEvent(text string) *conversationv1.Event {
	e := &struct {
		event conversationv1.Event
		kind  conversationv1.Event_Reasoning
		delta conversationv1.ReasoningDelta
	}{}
	e.delta.Text = text
	e.kind.Reasoning = &e.delta
	e.event.Kind = &e.kind
	return &e.event
}

func toolCallEvent(index int32, id, name, arguments string) *conversationv1.Event {
	e := &struct {
		event conversationv1.Event
		kind  conversationv1.Event_ToolCall
		delta conversationv1.ToolCallDelta
	}{}
	e.delta.Index, e.delta.Id, e.delta.Name, e.delta.ArgumentsJson = index, id, name, arguments
	e.kind.ToolCall = &e.delta
	e.event.Kind = &e.kind
	return &e.event
}

func signatureEvent(signature string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{Reasoning: &conversationv1.ReasoningDelta{Signature: signature}}}
}

func redactedEvent(data string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{Reasoning: &conversationv1.ReasoningDelta{Redacted: data}}}
}

func startedEvent(started *conversationv1.Started) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: started}}
}

func choiceFinishedEvent(finished *conversationv1.ChoiceFinished) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: finished}}
}

func usageEvent(usage *conversationv1.Usage) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: usage}}
}

func finishedEvent() *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}}
}

func failedEvent(failure *conversationv1.Failure) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: failure}}
}
