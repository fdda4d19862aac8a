package openai

import (
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
)

// EncodeAnswer implements wire.Codec. An answer with a failure is returned as
// that error: it has no form of its own but Error's.
func (chat) EncodeAnswer(answer *wire.Answer, options wire.AnswerOptions) ([]byte, error) {
	if answer.Failure != nil {
		return nil, wire.Fault(answer.Failure)
	}
	w := writer{b: appendPrefix(make([]byte, 0, 1024), "chat.completion", answer.Started, options)}
	w.open('[')
	for i := range answer.Choices {
		w.choice(&answer.Choices[i])
	}
	w.close(']')
	if answer.Usage != nil {
		w.key("usage")
		w.b = appendUsage(w.b, answer.Usage)
	}
	w.close('}')
	return w.b, nil
}

func (w *writer) choice(c *wire.Choice) {
	var text, refusal, thought strings.Builder
	var calls []*conversationv1.ToolCall
	var thoughts []*conversationv1.Reasoning
	details := false
	for _, part := range c.Message.GetParts() {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_Text:
			text.WriteString(kind.Text)
		case *conversationv1.ContentPart_Refusal:
			refusal.WriteString(kind.Refusal)
		case *conversationv1.ContentPart_Reasoning:
			thoughts = append(thoughts, kind.Reasoning)
			thought.WriteString(kind.Reasoning.GetText())
			details = details || kind.Reasoning.GetSignature() != "" || kind.Reasoning.GetRedacted() != ""
		case *conversationv1.ContentPart_ToolCall:
			calls = append(calls, kind.ToolCall)
		}
	}
	w.open('{')
	w.intField("index", int64(c.Index))
	w.key("message")
	w.open('{')
	w.strField("role", "assistant")
	if text.Len() == 0 && (len(calls) > 0 || refusal.Len() > 0) {
		w.rawField("content", "null")
	} else {
		w.strField("content", text.String())
	}
	if thought.Len() > 0 {
		w.strField("reasoning_content", thought.String())
	}
	if details {
		w.key("reasoning_details")
		w.open('[')
		for i, r := range thoughts {
			w.b = appendDetail(w.b, r, i)
		}
		w.close(']')
	}
	w.strOrNull("refusal", refusal.String())
	if len(calls) > 0 {
		w.key("tool_calls")
		writeList(w, calls, w.toolCall)
	}
	w.close('}')
	w.key("logprobs")
	w.b = appendLogprobs(w.b, c.Logprobs, c.RefusalLogprobs)
	w.strField("finish_reason", finishWord(c.FinishReason, refusal.Len() > 0, len(calls) > 0))
	w.close('}')
}

func (w *writer) toolCall(call *conversationv1.ToolCall) {
	w.open('{')
	w.strField("id", call.GetId())
	w.strField("type", "function")
	w.key("function")
	w.open('{')
	w.strField("name", call.GetName())
	w.strField("arguments", call.GetArgumentsJson())
	w.close('}')
	w.close('}')
}
