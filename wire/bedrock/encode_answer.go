package bedrock

import (
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// EncodeAnswer implements wire.Codec. An answer with a failure is returned as
// that error: it has no form of its own but Error's. The dialect's answers have
// neither id nor model.
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
	w := &jsonbody.Writer{}
	w.Open('{')
	w.Key("output")
	w.Open('{')
	w.Key("message")
	w.Open('{')
	w.StrField("role", "assistant")
	w.Key("content")
	w.Open('[')
	called := false
	for _, part := range choice.Message.GetParts() {
		writePart(w, part)
		called = called || part.GetToolCall() != nil
	}
	w.Close(']')
	w.Close('}')
	w.Close('}')
	w.StrField("stopReason", stopReason(choice.FinishReason, choice.StopSequence, called))
	writeUsage(w, answer.Usage)
	writeMetrics(w, answer.Started, options)
	w.Close('}')
	return w.B, nil
}

// writePart writes a block of an answer. What no model gives is left out.
func writePart(w *jsonbody.Writer, part *conversationv1.ContentPart) {
	said := part.GetText()
	switch kind := part.GetKind().(type) {
	case *conversationv1.ContentPart_Refusal:
		said = kind.Refusal
	case *conversationv1.ContentPart_Reasoning:
		w.Open('{')
		writeReasoning(w, kind.Reasoning)
		w.Close('}')
	case *conversationv1.ContentPart_ToolCall:
		arguments, _ := argumentsObject(kind.ToolCall.GetArgumentsJson())
		w.Open('{')
		w.Key("toolUse")
		w.Open('{')
		w.StrField("toolUseId", kind.ToolCall.GetId())
		w.StrField("name", kind.ToolCall.GetName())
		w.RawField("input", arguments)
		w.Close('}')
		w.Close('}')
	}
	if said != "" {
		w.Open('{')
		w.StrField("text", said)
		w.Close('}')
	}
}

// writeMetrics writes how long the answer took, which strict clients demand.
func writeMetrics(w *jsonbody.Writer, started *conversationv1.Started, options wire.AnswerOptions) {
	took := int64(0)
	if started.GetCreateTime() != nil {
		now := options.Now
		if now == nil {
			now = time.Now
		}
		took = max(now().Sub(started.GetCreateTime().AsTime()).Milliseconds(), 0)
	}
	w.Key("metrics")
	w.Open('{')
	w.IntField("latencyMs", took)
	w.Close('}')
}
