package openai

import (
	"strconv"
	"strings"
	"unicode/utf8"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

const textObject = "text_completion"

// NewStreamEncoder implements wire.Codec. The first chunk, without text or with
// what is echoed, is written for started. A count of tokens is written once,
// last, and only where IncludeUsage is set. Failed writes an error event and no
// [DONE]. Reasoning stands in reasoning_content beside an empty text; a refusal
// is text; tool calls have no place here.
func (completions) NewStreamEncoder(options wire.AnswerOptions) wire.StreamEncoder {
	return &textEncoder{options: options}
}

type textEncoder struct {
	options wire.AnswerOptions
	prefix  []byte // of every chunk, up to its choices
	usage   *conversationv1.Usage
	choices []textEncoding
	ended   bool
}

// textEncoding is how far one choice is.
type textEncoding struct {
	opened, finished bool
	offset           int // characters before the next text
}

// Encode implements wire.StreamEncoder.
func (e *textEncoder) Encode(dst []byte, events []*conversationv1.Event) ([]byte, error) {
	for _, event := range events {
		dst = e.event(dst, event)
	}
	return dst, nil
}

func (e *textEncoder) event(dst []byte, event *conversationv1.Event) []byte {
	if e.ended {
		return dst
	}
	switch kind := event.GetKind().(type) {
	case *conversationv1.Event_Started:
		e.prefix = appendTextPrefix(nil, kind.Started, e.options)
		return e.open(dst, 0)
	case *conversationv1.Event_Text:
		return e.text(dst, kind.Text)
	case *conversationv1.Event_Refusal:
		return e.text(dst, kind.Refusal)
	case *conversationv1.Event_Reasoning:
		if kind.Reasoning.GetText() == "" {
			return dst
		}
		dst = e.chunk(e.open(dst, kind.Reasoning.GetChoice()), "")
		dst = jsonscan.AppendString(append(dst, `,"reasoning_content":`...), kind.Reasoning.GetText())
		return e.close(dst, kind.Reasoning.GetChoice(), "null", "")
	case *conversationv1.Event_ChoiceFinished:
		return e.finish(dst, kind.ChoiceFinished.GetChoice(), kind.ChoiceFinished.GetReason())
	case *conversationv1.Event_Usage:
		e.usage = wire.CopyUsage(kind.Usage)
	case *conversationv1.Event_Finished:
		return e.end(dst)
	case *conversationv1.Event_Failed:
		e.ended = true
		f := wire.Fault(kind.Failed)
		return append(appendError(append(dst, "data: "...), f, shapeOf(f)), "\n\n"...)
	}
	return dst
}

func appendTextPrefix(dst []byte, started *conversationv1.Started, options wire.AnswerOptions) []byte {
	if options.ID == "" {
		options.ID = textID(started)
	}
	return appendPrefix(dst, textObject, started, options)
}

// textID is an id as legacy completions have it.
func textID(started *conversationv1.Started) string {
	const prefix = "cmpl-"
	switch {
	case started.GetResponseId() != "":
		return prefix + strings.TrimPrefix(started.GetResponseId(), "resp_")
	case started.GetProviderResponseId() != "":
		return started.GetProviderResponseId()
	}
	return prefix + strings.TrimPrefix(ids.New(""), "_")
}

func (e *textEncoder) choice(index int32) *textEncoding {
	for int(index) >= len(e.choices) {
		e.choices = append(e.choices, textEncoding{})
	}
	return &e.choices[index]
}

// echo is what a choice begins with.
func (e *textEncoder) echo(index int32) string { return echoOf(e.options, index) }

func echoOf(options wire.AnswerOptions, index int32) string {
	if options.Echo == nil {
		return ""
	}
	return options.Echo(index)
}

// open writes the first chunk of a choice.
func (e *textEncoder) open(dst []byte, index int32) []byte {
	choice := e.choice(index)
	if choice.opened {
		return dst
	}
	choice.opened = true
	echo := e.echo(index)
	choice.offset = utf8.RuneCountInString(echo)
	return e.close(e.chunk(dst, echo), index, "null", "")
}

// chunk begins a chunk with its text.
func (e *textEncoder) chunk(dst []byte, text string) []byte {
	dst = append(append(dst, "data: "...), e.prefix...)
	return jsonscan.AppendString(append(dst, `[{"text":`...), text)
}

// close ends a chunk. An empty reason is none.
func (e *textEncoder) close(dst []byte, index int32, logprobs, reason string) []byte {
	dst = strconv.AppendInt(append(dst, `,"index":`...), int64(index), 10)
	dst = append(append(dst, `,"logprobs":`...), logprobs...)
	if reason == "" {
		return append(dst, `,"finish_reason":null}]}`+"\n\n"...)
	}
	return append(append(append(dst, `,"finish_reason":"`...), reason...), `"}]}`+"\n\n"...)
}

func (e *textEncoder) text(dst []byte, delta *conversationv1.TextDelta) []byte {
	if delta.GetText() == "" && len(delta.GetLogprobs()) == 0 {
		return dst
	}
	dst = e.open(dst, delta.GetChoice())
	choice := e.choice(delta.GetChoice())
	logprobs, _ := appendTextLogprobs(nil, delta.GetLogprobs(), choice.offset)
	choice.offset += utf8.RuneCountInString(delta.GetText())
	return e.close(e.chunk(dst, delta.GetText()), delta.GetChoice(), string(logprobs), "")
}

func (e *textEncoder) finish(dst []byte, index int32, reason conversationv1.FinishReason) []byte {
	dst = e.open(dst, index)
	choice := e.choice(index)
	if choice.finished {
		return dst
	}
	choice.finished = true
	return e.close(e.chunk(dst, ""), index, "null", textFinish(reason))
}

// textFinish is legacy completions' word for a reason. They have none for tool
// calls.
func textFinish(reason conversationv1.FinishReason) string {
	if word := finishWord(reason, false, false); word != "tool_calls" {
		return word
	}
	return "stop"
}

// end writes what is left of a whole answer.
func (e *textEncoder) end(dst []byte) []byte {
	for i := range e.choices {
		if e.choices[i].opened {
			dst = e.finish(dst, int32(i), conversationv1.FinishReason_FINISH_REASON_UNSPECIFIED)
		}
	}
	if e.options.IncludeUsage && e.usage != nil {
		dst = append(append(append(dst, "data: "...), e.prefix...), `[],"usage":`...)
		dst = append(appendUsage(dst, e.usage), "}\n\n"...)
	}
	e.ended = true
	return append(dst, "data: [DONE]\n\n"...)
}

// EncodeAnswer implements wire.Codec. An answer with a failure is returned as
// that error.
func (completions) EncodeAnswer(answer *wire.Answer, options wire.AnswerOptions) ([]byte, error) {
	if answer.Failure != nil {
		return nil, wire.Fault(answer.Failure)
	}
	w := writer{jsonbody.Writer{B: appendTextPrefix(make([]byte, 0, 1024), answer.Started, options)}}
	w.Open('[')
	for i := range answer.Choices {
		w.textChoice(&answer.Choices[i], echoOf(options, answer.Choices[i].Index))
	}
	w.Close(']')
	if answer.Usage != nil {
		w.Key("usage")
		w.B = appendUsage(w.B, answer.Usage)
	}
	w.Close('}')
	return w.B, nil
}

func (w *writer) textChoice(c *wire.Choice, echo string) {
	var text, thought strings.Builder
	text.WriteString(echo)
	for _, part := range c.Message.GetParts() {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_Text:
			text.WriteString(kind.Text)
		case *conversationv1.ContentPart_Refusal:
			text.WriteString(kind.Refusal)
		case *conversationv1.ContentPart_Reasoning:
			thought.WriteString(kind.Reasoning.GetText())
		}
	}
	w.Open('{')
	w.StrField("text", text.String())
	if thought.Len() > 0 {
		w.StrField("reasoning_content", thought.String())
	}
	w.IntField("index", int64(c.Index))
	w.Key("logprobs")
	w.B, _ = appendTextLogprobs(w.B, c.Logprobs, utf8.RuneCountInString(echo))
	w.StrField("finish_reason", textFinish(c.FinishReason))
	w.Close('}')
}
