package openai

import (
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
)

// EncodeAnswer implements wire.Codec. An answer with a failure is returned as
// that error: it has no form of its own but Error's.
func (chat) EncodeAnswer(answer *wire.Answer, options wire.AnswerOptions) ([]byte, error) {
	if answer.Failure != nil {
		return nil, wire.Fault(answer.Failure)
	}
	w := writer{jsonbody.Writer{B: appendPrefix(make([]byte, 0, 1024), "chat.completion", answer.Started, options)}}
	w.Open('[')
	for i := range answer.Choices {
		w.choice(&answer.Choices[i], options)
	}
	w.Close(']')
	if answer.Usage != nil {
		w.Key("usage")
		w.B = appendUsage(w.B, answer.Usage)
	}
	w.RawField("system_fingerprint", "null") // the mesh has none, and OpenRouter's library wants the member
	w.Close('}')
	return w.B, nil
}

func (w *writer) choice(c *wire.Choice, options wire.AnswerOptions) {
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
	w.Open('{')
	w.IntField("index", int64(c.Index))
	w.Key("message")
	w.Open('{')
	w.StrField("role", "assistant")
	if text.Len() == 0 && (len(calls) > 0 || refusal.Len() > 0) {
		w.RawField("content", "null")
	} else {
		w.StrField("content", text.String())
	}
	if thought.Len() > 0 {
		w.StrField("reasoning_content", thought.String())
		if options.Reasoning {
			w.StrField("reasoning", thought.String())
		}
	}
	if details {
		w.Key("reasoning_details")
		w.Open('[')
		for i, r := range thoughts {
			w.B = appendDetail(w.B, r, i)
		}
		w.Close(']')
	}
	w.StrOrNull("refusal", refusal.String())
	if len(calls) > 0 {
		w.Key("tool_calls")
		jsonbody.List(&w.Writer, calls, func(call *conversationv1.ToolCall) {
			w.toolCall(call, options.TextTools != nil && options.TextTools(call.GetName()))
		})
	}
	w.Close('}')
	w.Key("logprobs")
	w.B = appendLogprobs(w.B, c.Logprobs, c.RefusalLogprobs)
	w.StrField("finish_reason", finishWord(c.FinishReason, refusal.Len() > 0, len(calls) > 0))
	w.Close('}')
}

func (w *writer) toolCall(call *conversationv1.ToolCall, text bool) {
	kind, member, arguments := "function", "arguments", call.GetArgumentsJson()
	if text {
		kind, member, arguments = texttool.WireType, "input", texttool.Unwrap(arguments)
	}
	w.Open('{')
	w.StrField("id", call.GetId())
	w.StrField("type", kind)
	w.Key(kind)
	w.Open('{')
	w.StrField("name", call.GetName())
	w.StrField(member, arguments)
	w.Close('}')
	w.Close('}')
}
