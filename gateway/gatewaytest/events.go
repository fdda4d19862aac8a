package gatewaytest

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Started is the first event of an answer of model, begun at a fixed time.
func Started(model string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{
		ResponseId: "resp_1", Model: model, Provider: "scripted", CreateTime: &timestamppb.Timestamp{Seconds: 1700000000},
	}}}
}

// Text is a piece of text.
func Text(text string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Text: text}}}
}

// Reasoning is a piece of reasoning.
func Reasoning(text string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{Reasoning: &conversationv1.ReasoningDelta{Text: text}}}
}

// Call is a whole tool call.
func Call(index int32, id, name, arguments string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ToolCall{ToolCall: &conversationv1.ToolCallDelta{
		Index: index, Id: id, Name: name, ArgumentsJson: arguments,
	}}}
}

// ChoiceFinished ends the first choice.
func ChoiceFinished(reason conversationv1.FinishReason) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{Reason: reason}}}
}

// Usage is a count of tokens.
func Usage(input, output int64) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: &conversationv1.Usage{
		InputTokens: input, OutputTokens: output, Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER,
	}}}
}

// Finished ends an answer that is whole.
func Finished() *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}}
}

// Failed ends an answer that is not.
func Failed(err error) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: wire.Failure(err)}}
}

// Chunk is a chunk of events.
func Chunk(events ...*conversationv1.Event) *conversationv1.Chunk {
	return &conversationv1.Chunk{Events: events}
}

// Raw is a chunk of a provider's own bytes.
func Raw(w conversationv1.Wire, form conversationv1.RawForm, data string, events ...*conversationv1.Event) *conversationv1.Chunk {
	return &conversationv1.Chunk{Events: events, Raw: &conversationv1.RawChunk{Wire: w, Form: form, Data: []byte(data), EventCount: 1}}
}
