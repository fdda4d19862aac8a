package openai

import (
	"strconv"
	"strings"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
)

// NewStreamEncoder implements wire.Codec. The first chunk, with the role and no
// text, is written for started, so that a client knows at once that its answer
// begins. A count of tokens is written once, last, and only where
// IncludeUsage or UsageBeside is set. Failed writes an error event and no [DONE].
func (chat) NewStreamEncoder(options wire.AnswerOptions) wire.StreamEncoder {
	return &streamEncoder{options: options}
}

type streamEncoder struct {
	options wire.AnswerOptions
	prefix  []byte // of every chunk, up to its choices
	usage   *conversationv1.Usage
	choices []choiceEncoder
	last    []byte // the end of a choice that waits for usage, up to its last brace
	ended   bool
}

// choiceEncoder is how far one choice is.
type choiceEncoder struct {
	opened, finished, refused bool
	called                    bool
	texts                     []*textCall // of custom tools
	calls                     []*wholeCall
	blocks                    int    // of reasoning that were ended
	block                     []byte // the text of the present one
}

// maxBlock bounds the text of a block that is given once more with its
// signature. A longer one goes without.
const maxBlock = 4 << 20

// Encode implements wire.StreamEncoder.
func (e *streamEncoder) Encode(dst []byte, events []*conversationv1.Event) ([]byte, error) {
	for _, event := range events {
		dst = e.event(dst, event)
	}
	return dst, nil
}

func (e *streamEncoder) event(dst []byte, event *conversationv1.Event) []byte {
	if e.ended {
		return dst
	}
	switch kind := event.GetKind().(type) {
	case *conversationv1.Event_Started:
		e.prefix = appendPrefix(nil, "chat.completion.chunk", kind.Started, e.options)
		return e.role(dst, 0)
	case *conversationv1.Event_Text:
		return e.text(dst, "content", kind.Text)
	case *conversationv1.Event_Refusal:
		if kind.Refusal.GetText() != "" {
			e.choice(kind.Refusal.GetChoice()).refused = true
		}
		return e.text(dst, "refusal", kind.Refusal)
	case *conversationv1.Event_Reasoning:
		return e.reasoning(dst, kind.Reasoning)
	case *conversationv1.Event_ToolCall:
		return e.toolCall(dst, kind.ToolCall)
	case *conversationv1.Event_ChoiceFinished:
		return e.finish(dst, kind.ChoiceFinished.GetChoice(), kind.ChoiceFinished.GetReason())
	case *conversationv1.Event_Usage:
		e.usage = wire.CopyUsage(kind.Usage)
	case *conversationv1.Event_Finished:
		return e.end(dst)
	case *conversationv1.Event_Failed:
		e.ended = true
		dst = e.release(dst)
		return e.failure(dst, wire.Fault(kind.Failed))
	}
	return dst
}

// appendPrefix appends the head of an answer's JSON, up to its choices.
func appendPrefix(dst []byte, object string, started *conversationv1.Started, options wire.AnswerOptions) []byte {
	w := writer{jsonbody.Writer{B: append(dst, '{')}}
	w.StrField("id", answerID(started, options))
	w.StrField("object", object)
	w.IntField("created", created(started, options))
	model := options.Model
	if model == "" {
		model = started.GetModel()
	}
	w.StrField("model", model)
	w.Key("choices")
	return w.B
}

const idPrefix = "chatcmpl-"

func answerID(started *conversationv1.Started, options wire.AnswerOptions) string {
	switch {
	case options.ID != "":
		return options.ID
	case started.GetResponseId() != "":
		return idPrefix + strings.TrimPrefix(started.GetResponseId(), "resp_")
	case started.GetProviderResponseId() != "":
		return started.GetProviderResponseId()
	}
	return idPrefix + strings.TrimPrefix(ids.New(""), "_")
}

func created(started *conversationv1.Started, options wire.AnswerOptions) int64 {
	switch {
	case !options.Created.IsZero():
		return options.Created.Unix()
	case started.GetCreateTime().GetSeconds() != 0:
		return started.GetCreateTime().GetSeconds()
	case options.Now != nil:
		return options.Now().Unix()
	}
	return time.Now().Unix()
}

func (e *streamEncoder) choice(index int32) *choiceEncoder {
	for int(index) >= len(e.choices) {
		e.choices = append(e.choices, choiceEncoder{})
	}
	return &e.choices[index]
}

// open begins a chunk of a choice, up to the inside of its delta.
func (e *streamEncoder) open(dst []byte, index int32) []byte {
	dst = append(append(dst, "data: "...), e.prefix...)
	dst = strconv.AppendInt(append(dst, `[{"index":`...), int64(index), 10)
	return append(dst, `,"delta":{`...)
}

const chunkEnd = `},"logprobs":null,"finish_reason":null}]}` + "\n\n"

// role writes the first chunk of a choice.
func (e *streamEncoder) role(dst []byte, index int32) []byte {
	choice := e.choice(index)
	if choice.opened {
		return dst
	}
	choice.opened = true
	return append(append(e.open(dst, index), `"role":"assistant","content":""`...), chunkEnd...)
}

func (e *streamEncoder) text(dst []byte, name string, delta *conversationv1.TextDelta) []byte {
	if delta.GetText() == "" && len(delta.GetLogprobs()) == 0 {
		return dst
	}
	dst = e.open(e.role(dst, delta.GetChoice()), delta.GetChoice())
	dst = append(append(append(dst, '"'), name...), `":`...)
	dst = jsonscan.AppendString(dst, delta.GetText())
	if len(delta.GetLogprobs()) == 0 {
		return append(dst, chunkEnd...)
	}
	dst = append(dst, `},"logprobs":`...)
	if name == "refusal" {
		dst = appendLogprobs(dst, nil, delta.GetLogprobs())
	} else {
		dst = appendLogprobs(dst, delta.GetLogprobs(), nil)
	}
	return append(dst, `,"finish_reason":null}]}`+"\n\n"...)
}

func (e *streamEncoder) reasoning(dst []byte, delta *conversationv1.ReasoningDelta) []byte {
	index := delta.GetChoice()
	if delta.GetText() != "" {
		dst = e.open(e.role(dst, index), index)
		dst = e.thought(dst, index, delta.GetText())
		dst = append(dst, chunkEnd...)
		if choice := e.choice(index); len(choice.block) <= maxBlock {
			choice.block = append(choice.block, delta.GetText()...)
		}
	}
	if delta.GetSignature() != "" {
		block := &conversationv1.Reasoning{Signature: delta.GetSignature()}
		if text := e.choice(index).block; len(text) <= maxBlock && !e.options.OpenRouter {
			block.Text = string(text)
		}
		dst = e.detail(dst, index, block)
	}
	if delta.GetRedacted() != "" {
		dst = e.detail(dst, index, &conversationv1.Reasoning{Redacted: delta.GetRedacted()})
	}
	return dst
}

// detail writes an ended block. A client that sends it back in its history
// gives each signature with the text that it signs.
func (e *streamEncoder) detail(dst []byte, index int32, r *conversationv1.Reasoning) []byte {
	dst = e.role(dst, index)
	choice := e.choice(index)
	choice.block = choice.block[:0]
	dst = append(e.open(dst, index), `"reasoning_details":[`...)
	dst = append(appendDetail(dst, r, choice.blocks), ']')
	choice.blocks++
	return append(dst, chunkEnd...)
}

func (e *streamEncoder) toolCall(dst []byte, delta *conversationv1.ToolCallDelta) []byte {
	index := delta.GetChoice()
	kind, member, text := "function", "arguments", delta.GetArgumentsJson()
	if call := e.textCall(delta); call != nil {
		if kind, member, text = texttool.WireType, "input", call.reader.Add(text); text == "" && delta.GetName() == "" {
			return dst
		}
	}
	if e.options.WholeCalls && kind == "function" {
		e.choice(index).gather(delta)
		return dst
	}
	return e.piece(dst, delta, kind, member, text)
}

// piece writes a piece of a call.
func (e *streamEncoder) piece(dst []byte, delta *conversationv1.ToolCallDelta, kind, member, text string) []byte {
	index := delta.GetChoice()
	dst = e.open(e.role(dst, index), index)
	e.choice(index).called = true
	dst = strconv.AppendInt(append(dst, `"tool_calls":[{"index":`...), int64(delta.GetIndex()), 10)
	if delta.GetName() != "" {
		dst = jsonscan.AppendString(append(dst, `,"id":`...), delta.GetId())
		dst = append(append(append(dst, `,"type":"`...), kind...), `","`...)
		dst = jsonscan.AppendString(append(append(dst, kind...), `":{"name":`...), delta.GetName())
		dst = append(dst, ',')
	} else {
		dst = append(append(append(dst, `,"`...), kind...), `":{`...)
	}
	dst = append(append(append(dst, '"'), member...), `":`...)
	dst = jsonscan.AppendString(dst, text)
	return append(append(dst, `}}]`...), chunkEnd...)
}

// textCall is a call of a custom tool, whose text stands in its arguments.
type textCall struct {
	index  int32 // of the call
	reader texttool.Reader
}

// textCall finds the call of a custom tool that a delta begins or goes on with, or nil.
func (e *streamEncoder) textCall(delta *conversationv1.ToolCallDelta) *textCall {
	choice := e.choice(delta.GetChoice())
	if name := delta.GetName(); name != "" && e.options.TextTools != nil && e.options.TextTools(name) {
		choice.texts = append(choice.texts, &textCall{index: delta.GetIndex()})
	}
	for _, call := range choice.texts {
		if call.index == delta.GetIndex() {
			return call
		}
	}
	return nil
}

// textCalls writes what is left of the texts for custom tools.
func (e *streamEncoder) textCalls(dst []byte, index int32) []byte {
	choice := e.choice(index)
	for _, call := range choice.texts {
		if rest := call.reader.End(); rest != "" {
			dst = strconv.AppendInt(append(e.open(dst, index), `"tool_calls":[{"index":`...), int64(call.index), 10)
			dst = jsonscan.AppendString(append(dst, `,"custom":{"input":`...), rest)
			dst = append(append(dst, `}}]`...), chunkEnd...)
		}
	}
	choice.texts = nil
	return dst
}

func (e *streamEncoder) finish(dst []byte, index int32, reason conversationv1.FinishReason) []byte {
	dst = e.role(dst, index)
	choice := e.choice(index)
	if choice.finished {
		return dst
	}
	choice.finished = true
	dst = e.textCalls(dst, index)
	dst = e.wholeCalls(dst, index)
	if e.options.UsageBeside || e.options.GroqUsage {
		dst = e.release(dst)
		e.last = append(append(e.open(e.last, index), `},"logprobs":null,"finish_reason":"`...), finishWord(reason, choice.refused, choice.called)...)
		e.last = append(e.last, `"}]`...)
		return dst
	}
	dst = append(e.open(dst, index), `},"logprobs":null,"finish_reason":"`...)
	dst = append(dst, finishWord(reason, choice.refused, choice.called)...)
	return append(dst, `"}]}`+"\n\n"...)
}

// release writes the end of a choice that waited for usage, without it.
func (e *streamEncoder) release(dst []byte) []byte {
	if len(e.last) > 0 {
		dst = append(append(dst, e.last...), "}\n\n"...)
		e.last = e.last[:0]
	}
	return dst
}

// finishWord is OpenAI's word for a reason. It has none for a refusal: where
// the model told it in words, that is an ordinary end.
func finishWord(reason conversationv1.FinishReason, refused, called bool) string {
	switch reason {
	case conversationv1.FinishReason_FINISH_REASON_LENGTH:
		return "length"
	case conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS:
		return "tool_calls"
	case conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER:
		return "content_filter"
	case conversationv1.FinishReason_FINISH_REASON_REFUSAL:
		if !refused {
			return "content_filter"
		}
	case conversationv1.FinishReason_FINISH_REASON_UNSPECIFIED:
		if called {
			return "tool_calls"
		}
	}
	return "stop"
}

// end writes what is left of a whole answer. A choice that nobody ended is
// ended here: clients wait for a finish_reason.
func (e *streamEncoder) end(dst []byte) []byte {
	for i := range e.choices {
		if e.choices[i].opened {
			dst = e.finish(dst, int32(i), conversationv1.FinishReason_FINISH_REASON_UNSPECIFIED)
		}
	}
	switch {
	case e.usage == nil:
		dst = e.release(dst)
	case len(e.last) > 0 && e.options.GroqUsage:
		dst = appendUsage(append(append(dst, e.last...), `,"x_groq":{"usage":`...), e.usage)
		dst = append(dst, "}}\n\n"...)
		if e.options.IncludeUsage {
			dst = e.usageChunk(dst)
		}
	case len(e.last) > 0:
		dst = appendUsage(append(append(dst, e.last...), `,"usage":`...), e.usage)
		dst = append(dst, "}\n\n"...)
	case e.options.IncludeUsage:
		dst = e.usageChunk(dst)
	}
	e.ended = true
	return append(dst, "data: [DONE]\n\n"...)
}

// usageChunk writes the chunk that has usage alone.
func (e *streamEncoder) usageChunk(dst []byte) []byte {
	dst = append(append(append(dst, "data: "...), e.prefix...), `[],"usage":`...)
	return append(appendUsage(dst, e.usage), "}\n\n"...)
}
