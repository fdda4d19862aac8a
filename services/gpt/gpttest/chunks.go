package gpttest

import (
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// at is the time in the chunks made here.
var at = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// Chunk holds events.
func Chunk(events ...*conversationv1.Event) *conversationv1.Chunk {
	return &conversationv1.Chunk{Events: events}
}

// Answer is a whole answer: one chunk for each text, the first with started, and
// a last one with finish reason, usage and finished. Usage counts each text as
// one token.
func Answer(texts ...string) []*conversationv1.Chunk {
	chunks := Beginning(texts...)
	return append(chunks, Chunk(Finish(conversationv1.FinishReason_FINISH_REASON_STOP), Usage(1, int64(len(texts))), Finished()))
}

// Beginning is an answer without its end.
func Beginning(texts ...string) (chunks []*conversationv1.Chunk) {
	for _, text := range texts {
		chunks = append(chunks, Chunk(Text(text)))
	}
	if len(chunks) == 0 {
		return []*conversationv1.Chunk{Chunk(Started())}
	}
	chunks[0].Events = append([]*conversationv1.Event{Started()}, chunks[0].Events...)
	return chunks
}

// Started is the first event.
func Started() *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{
		Model: "fake", Provider: "fake", ProviderResponseId: "fake-1", AttemptId: "att_fake", CreateTime: timestamppb.New(at),
	}}}
}

// Text adds text to choice 0.
func Text(text string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Text: text}}}
}

// Finish ends choice 0.
func Finish(reason conversationv1.FinishReason) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{Reason: reason}}}
}

// Usage is the provider's count.
func Usage(input, output int64) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: &conversationv1.Usage{
		InputTokens: input, OutputTokens: output, Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER,
	}}}
}

// Finished ends an answer that is whole.
func Finished() *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{FinishTime: timestamppb.New(at)}}}
}
