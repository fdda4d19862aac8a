package ollama

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// The events of the token path are made in one allocation each.

func textEvent(text string, logprobs []*conversationv1.TokenLogprob) *conversationv1.Event {
	e := &struct {
		event conversationv1.Event
		kind  conversationv1.Event_Text
		delta conversationv1.TextDelta
	}{}
	e.delta.Text, e.delta.Logprobs = text, logprobs
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

func toolCallEvent(delta *conversationv1.ToolCallDelta) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ToolCall{ToolCall: delta}}
}

func startedEvent(started *conversationv1.Started) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: started}}
}

func choiceFinishedEvent(reason conversationv1.FinishReason) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{Reason: reason}}}
}

func usageEvent(usage *conversationv1.Usage) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: usage}}
}

func finishedEvent(finished *conversationv1.Finished) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: finished}}
}

func failedEvent(failure *conversationv1.Failure) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: failure}}
}
