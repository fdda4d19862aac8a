package anthropic

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// EncodeAnswer implements wire.Codec. An answer with a failure is
// returned as that error: it has no form of its own but Error's.
func (codec) EncodeAnswer(answer *wire.Answer, options wire.AnswerOptions) ([]byte, error) {
	if answer.Failure != nil {
		return nil, wire.Fault(answer.Failure)
	}
	var choice wire.Choice
	for i := range answer.Choices {
		if answer.Choices[i].Index == 0 {
			choice = answer.Choices[i]
		}
	}
	usage := answer.Usage
	if usage == nil {
		usage = &conversationv1.Usage{InputTokens: options.InputTokens}
	}
	size := 512
	for _, part := range choice.Message.GetParts() {
		size += 128 + len(part.GetText()) + len(part.GetReasoning().GetText()) + len(part.GetReasoning().GetSignature()) +
			len(part.GetReasoning().GetRedacted()) + len(part.GetToolCall().GetArgumentsJson())
	}
	w := writer{jsonbody.Writer{B: append(make([]byte, 0, size+size/16), '{')}}
	w.writeIdentity(answer.Started, options)
	w.Key("content")
	w.Open('[')
	called := false
	for _, part := range choice.Message.GetParts() {
		w.writePart(part)
		called = called || part.GetToolCall() != nil
	}
	w.Close(']')
	w.writeStop(stopReason(choice.FinishReason, choice.StopSequence, called), choice.StopSequence)
	w.writeUsage(usage)
	w.Close('}')
	return w.B, nil
}

// writePart writes a block of an answer. What no model gives is left out.
func (w *writer) writePart(part *conversationv1.ContentPart) {
	text := func(s string) {
		if s != "" {
			w.Open('{')
			w.StrField("type", "text")
			w.StrField("text", s)
			w.Close('}')
		}
	}
	switch kind := part.GetKind().(type) {
	case *conversationv1.ContentPart_Text:
		text(kind.Text)
	case *conversationv1.ContentPart_Refusal:
		text(kind.Refusal)
	case *conversationv1.ContentPart_Reasoning:
		w.Open('{')
		if kind.Reasoning.GetRedacted() != "" {
			w.StrField("type", "redacted_thinking")
			w.StrField("data", kind.Reasoning.GetRedacted())
		} else {
			w.StrField("type", "thinking")
			w.StrField("thinking", kind.Reasoning.GetText())
			w.StrField("signature", kind.Reasoning.GetSignature())
		}
		w.Close('}')
	case *conversationv1.ContentPart_ToolCall:
		arguments, _ := argumentsObject(kind.ToolCall.GetArgumentsJson())
		w.Open('{')
		w.StrField("type", "tool_use")
		w.StrField("id", kind.ToolCall.GetId())
		w.StrField("name", kind.ToolCall.GetName())
		w.RawField("input", arguments)
		w.Close('}')
	}
}
