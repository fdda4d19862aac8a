package ollama

import (
	"errors"
	"strings"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

var errToolIndex = errors.New("ollama: the index of a tool call jumps")

// EncodeAnswer implements wire.Codec. The answer is shown as one object without
// a line end. Durations count from options.Created, or from the start that the
// provider told. An answer with a failure is returned as that error: it has no
// form of its own but Error's.
func (c codec) EncodeAnswer(answer *wire.Answer, options wire.AnswerOptions) ([]byte, error) {
	if answer.Failure != nil {
		return nil, wire.Fault(answer.Failure)
	}
	now := time.Now
	if options.Now != nil {
		now = options.Now
	}
	ended := now()
	begun := options.Created
	if begun.IsZero() {
		begun = answer.Started.GetCreateTime().AsTime()
	}
	if answer.Started.GetCreateTime() == nil && options.Created.IsZero() || begun.After(ended) {
		begun = ended
	}
	model := options.Model
	if model == "" {
		model = answer.Started.GetModel()
	}
	var choice wire.Choice
	for i := range answer.Choices {
		if answer.Choices[i].Index == 0 {
			choice = answer.Choices[i]
		}
	}
	text, thinking, calls := showMessage(choice.Message)
	room := 512 + (len(text)+len(thinking)+len(calls))*17/16
	dst := c.content(appendHead(make([]byte, 0, room), model, ended), text, thinking, calls)
	input := answer.Usage.GetInputTokens()
	if answer.Usage == nil {
		input = options.InputTokens
	}
	times := clock{asked: begun, started: begun, first: begun}
	dst = appendDone(dst, choice.FinishReason, times.statistics(ended, input, answer.Usage.GetOutputTokens()))
	if len(choice.Logprobs) > 0 {
		dst = appendLogprobs(append(dst[:len(dst)-1], `,"logprobs":`...), choice.Logprobs)
		dst = append(dst, '}')
	}
	return dst, nil
}

// showMessage is what the dialect shows of a message.
func showMessage(m *conversationv1.Message) (text, thinking string, calls []byte) {
	var texts, thoughts strings.Builder
	list := writer{jsonbody.Writer{B: []byte{'['}}}
	index := 0
	for _, part := range m.GetParts() {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_Text:
			texts.WriteString(kind.Text)
		case *conversationv1.ContentPart_Refusal:
			texts.WriteString(kind.Refusal)
		case *conversationv1.ContentPart_Reasoning:
			thoughts.WriteString(kind.Reasoning.GetText())
		case *conversationv1.ContentPart_ToolCall:
			list.call(index, kind.ToolCall.GetId(), kind.ToolCall.GetName(), kind.ToolCall.GetArgumentsJson())
			index++
		}
	}
	if index == 0 {
		return texts.String(), thoughts.String(), nil
	}
	list.Close(']')
	return texts.String(), thoughts.String(), list.B
}

// appendHead begins an object of an answer.
func appendHead(dst []byte, model string, at time.Time) []byte {
	w := writer{jsonbody.Writer{B: append(dst, '{')}}
	w.StrField("model", model)
	w.StrField("created_at", at.UTC().Format(time.RFC3339Nano))
	return w.B
}
