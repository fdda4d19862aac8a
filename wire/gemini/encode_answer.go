package gemini

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/signer"
)

// EncodeAnswer implements wire.Codec. An answer with a failure is returned as
// that error: it has no form of its own but Error's.
func (codec) EncodeAnswer(answer *wire.Answer, options wire.AnswerOptions) ([]byte, error) {
	if answer.Failure != nil {
		return nil, wire.Fault(answer.Failure)
	}
	who := identity{options: options}
	who.start(answer.Started)
	w := &jsonbody.Writer{}
	w.Open('{')
	w.Key("candidates")
	w.Open('[')
	for i := range answer.Choices {
		writeCandidate(w, &answer.Choices[i])
	}
	w.Close(']')
	if answer.Usage != nil {
		writeUsage(w, answer.Usage)
	}
	who.write(w)
	w.Close('}')
	return w.B, nil
}

func writeCandidate(w *jsonbody.Writer, choice *wire.Choice) {
	w.Open('{')
	w.Key("content")
	w.Open('{')
	w.Key("parts")
	w.Open('[')
	var p partWriter
	for _, part := range choice.Message.GetParts() {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_Text:
			p.text(w, kind.Text, false)
		case *conversationv1.ContentPart_Refusal:
			p.text(w, kind.Refusal, false)
		case *conversationv1.ContentPart_Reasoning:
			if p.signature != "" {
				p.text(w, "", false)
			}
			if kind.Reasoning.GetText() != "" {
				p.text(w, kind.Reasoning.GetText(), true)
			}
			p.signature = signer.Gemini.Show(kind.Reasoning.GetSignature())
		case *conversationv1.ContentPart_ToolCall:
			p.call(w, kind.ToolCall)
		}
	}
	if p.signature != "" {
		p.text(w, "", false)
	}
	w.Close(']')
	w.StrField("role", "model")
	w.Close('}')
	w.StrField("finishReason", reasonWord(choice.FinishReason))
	w.IntField("index", int64(choice.Index))
	writeLogprobs(w, choice.Logprobs)
	w.Close('}')
}
