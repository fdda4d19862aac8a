package wire

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// EventsOf takes an answer apart into events that Grammar accepts: the reverse
// of Assembler, for answers that were kept or changed as a whole. Each part is
// one delta. The terminal event is there where the answer has one; a finished
// answer ends every choice, any other only those with a finish reason. A tool
// call without an id gets one that is unique in the answer; one without a name
// is left out, as are parts that no model gives (images, files, tool results).
// Strings are shared with the answer, messages are not.
func EventsOf(answer *Answer) []*conversationv1.Event {
	started := &conversationv1.Started{}
	if answer.Started != nil {
		started = CopyStarted(answer.Started)
	}
	events := []*conversationv1.Event{{Kind: &conversationv1.Event_Started{Started: started}}}
	for i := range answer.Choices {
		events = appendChoice(events, &answer.Choices[i], answer.Finished)
	}
	if answer.Usage != nil {
		events = append(events, &conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: CopyUsage(answer.Usage)}})
	}
	switch {
	case answer.Failure != nil:
		events = append(events, &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: proto.CloneOf(answer.Failure)}})
	case answer.Finished:
		finished := &conversationv1.Finished{}
		if answer.FinishedAt != 0 {
			finished.FinishTime = &timestamppb.Timestamp{Seconds: answer.FinishedAt}
		}
		events = append(events, &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: finished}})
	}
	return events
}

func appendChoice(events []*conversationv1.Event, choice *Choice, finished bool) []*conversationv1.Event {
	logprobs, refusalLogprobs := choice.Logprobs, choice.RefusalLogprobs
	index, calls := choice.Index, int32(0)
	for _, part := range choice.Message.GetParts() {
		event := &conversationv1.Event{}
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_Text:
			event.Kind = &conversationv1.Event_Text{Text: textDelta(index, kind.Text, logprobs)}
			logprobs = nil
		case *conversationv1.ContentPart_Refusal:
			event.Kind = &conversationv1.Event_Refusal{Refusal: textDelta(index, kind.Refusal, refusalLogprobs)}
			refusalLogprobs = nil
		case *conversationv1.ContentPart_Reasoning:
			event.Kind = &conversationv1.Event_Reasoning{Reasoning: &conversationv1.ReasoningDelta{
				Choice: index, Text: kind.Reasoning.GetText(),
				Signature: kind.Reasoning.GetSignature(), Redacted: kind.Reasoning.GetRedacted(),
			}}
		case *conversationv1.ContentPart_ToolCall:
			if kind.ToolCall.GetName() == "" {
				continue
			}
			id := kind.ToolCall.GetId()
			if id == "" {
				id = fmt.Sprintf("call_%d_%d", index, calls)
			}
			event.Kind = &conversationv1.Event_ToolCall{ToolCall: &conversationv1.ToolCallDelta{
				Choice: index, Index: calls, Id: id, Name: kind.ToolCall.GetName(), ArgumentsJson: kind.ToolCall.GetArgumentsJson(),
			}}
			calls++
		default:
			continue
		}
		events = append(events, event)
	}
	if len(logprobs) > 0 {
		events = append(events, &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: textDelta(index, "", logprobs)}})
	}
	if len(refusalLogprobs) > 0 {
		events = append(events, &conversationv1.Event{Kind: &conversationv1.Event_Refusal{Refusal: textDelta(index, "", refusalLogprobs)}})
	}
	if finished || choice.FinishReason != conversationv1.FinishReason_FINISH_REASON_UNSPECIFIED {
		events = append(events, &conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{
			Choice: index, Reason: choice.FinishReason, StopSequence: choice.StopSequence,
		}}})
	}
	return events
}

func textDelta(choice int32, text string, logprobs []*conversationv1.TokenLogprob) *conversationv1.TextDelta {
	delta := &conversationv1.TextDelta{Choice: choice, Text: text}
	for _, token := range logprobs {
		delta.Logprobs = append(delta.Logprobs, proto.CloneOf(token))
	}
	return delta
}
