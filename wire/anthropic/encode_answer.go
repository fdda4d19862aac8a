package anthropic

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
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
	w := writer{b: []byte{'{'}}
	w.writeIdentity(answer.Started, options)
	w.key("content")
	w.open('[')
	called := false
	for _, part := range choice.Message.GetParts() {
		w.writePart(part)
		called = called || part.GetToolCall() != nil
	}
	w.close(']')
	w.writeStop(stopReason(choice.FinishReason, choice.StopSequence, called), choice.StopSequence)
	w.writeUsage(usage)
	w.close('}')
	return w.b, nil
}

// writePart writes a block of an answer. What no model gives is left out.
func (w *writer) writePart(part *conversationv1.ContentPart) {
	text := func(s string) {
		if s != "" {
			w.open('{')
			w.strField("type", "text")
			w.strField("text", s)
			w.close('}')
		}
	}
	switch kind := part.GetKind().(type) {
	case *conversationv1.ContentPart_Text:
		text(kind.Text)
	case *conversationv1.ContentPart_Refusal:
		text(kind.Refusal)
	case *conversationv1.ContentPart_Reasoning:
		w.open('{')
		if kind.Reasoning.GetRedacted() != "" {
			w.strField("type", "redacted_thinking")
			w.strField("data", kind.Reasoning.GetRedacted())
		} else {
			w.strField("type", "thinking")
			w.strField("thinking", kind.Reasoning.GetText())
			w.strField("signature", kind.Reasoning.GetSignature())
		}
		w.close('}')
	case *conversationv1.ContentPart_ToolCall:
		arguments, _ := argumentsObject(kind.ToolCall.GetArgumentsJson())
		w.open('{')
		w.strField("type", "tool_use")
		w.strField("id", kind.ToolCall.GetId())
		w.strField("name", kind.ToolCall.GetName())
		w.rawField("input", arguments)
		w.close('}')
	}
}
