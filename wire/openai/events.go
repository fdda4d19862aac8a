package openai

import conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"

// An event is three objects, of which none outlives the others for long: made as
// one they take one allocation.

func startedEvent() (*conversationv1.Event, *conversationv1.Started) {
	made := &struct {
		event   conversationv1.Event
		kind    conversationv1.Event_Started
		started conversationv1.Started
	}{}
	made.kind.Started = &made.started
	made.event.Kind = &made.kind
	return &made.event, &made.started
}

func textEvent(choice int32, text string, logprobs []*conversationv1.TokenLogprob) *conversationv1.Event {
	made := &struct {
		event conversationv1.Event
		kind  conversationv1.Event_Text
		delta conversationv1.TextDelta
	}{}
	made.delta.Choice, made.delta.Text, made.delta.Logprobs = choice, text, logprobs
	made.kind.Text = &made.delta
	made.event.Kind = &made.kind
	return &made.event
}

func choiceFinishedEvent(choice int32, reason conversationv1.FinishReason, stopSequence string) *conversationv1.Event {
	made := &struct {
		event conversationv1.Event
		kind  conversationv1.Event_ChoiceFinished
		end   conversationv1.ChoiceFinished
	}{}
	made.end.Choice, made.end.Reason, made.end.StopSequence = choice, reason, stopSequence
	made.kind.ChoiceFinished = &made.end
	made.event.Kind = &made.kind
	return &made.event
}

func usageEvent(usage *conversationv1.Usage) *conversationv1.Event {
	made := &struct {
		event conversationv1.Event
		kind  conversationv1.Event_Usage
	}{}
	made.kind.Usage = usage
	made.event.Kind = &made.kind
	return &made.event
}

func finishedEvent() *conversationv1.Event {
	made := &struct {
		event    conversationv1.Event
		kind     conversationv1.Event_Finished
		finished conversationv1.Finished
	}{}
	made.kind.Finished = &made.finished
	made.event.Kind = &made.kind
	return &made.event
}
