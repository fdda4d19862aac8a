package ollama

import (
	"strconv"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"google.golang.org/grpc/codes"
)

// maxHeld is how many bytes of unfinished tool calls an encoder holds back.
const maxHeld = 32 << 20

// streamEncoder encodes one answer as lines.
type streamEncoder struct {
	codec
	options wire.AnswerOptions
	now     func() time.Time
	clock   clock
	model   string
	head    []byte // `{"model":"…","created_at":"`
	calls   []heldCall
	held    int
	usage   *conversationv1.Usage
	reason  conversationv1.FinishReason
	ended   bool
}

// heldCall is a tool call that is being put together.
type heldCall struct {
	id, name  string
	arguments []byte
}

func newStreamEncoder(c codec, options wire.AnswerOptions) *streamEncoder {
	e := &streamEncoder{codec: c, options: options, now: options.Now}
	if e.now == nil {
		e.now = time.Now
	}
	e.clock.asked = e.now()
	return e
}

// clock notes when what happened, for the statistics of the last line.
type clock struct{ asked, started, first time.Time }

// Encode implements wire.StreamEncoder. Nothing is written for started: a line
// goes out with the first thing that the model says.
func (e *streamEncoder) Encode(dst []byte, events []*conversationv1.Event) ([]byte, error) {
	if len(events) == 0 || e.ended {
		return dst, nil
	}
	now := e.now()
	for _, event := range events {
		var err error
		if dst, err = e.encode(dst, event, now); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (e *streamEncoder) encode(dst []byte, event *conversationv1.Event, now time.Time) ([]byte, error) {
	switch kind := event.GetKind().(type) {
	case *conversationv1.Event_Started:
		e.start(kind.Started.GetModel(), now)
	case *conversationv1.Event_Text:
		return e.text(dst, kind.Text, now), nil
	case *conversationv1.Event_Refusal:
		return e.text(dst, kind.Refusal, now), nil
	case *conversationv1.Event_Reasoning:
		if kind.Reasoning.GetChoice() == 0 && kind.Reasoning.GetText() != "" {
			e.clock.touch(now)
			return append(e.content(e.line(dst, now), "", kind.Reasoning.GetText(), nil), ",\"done\":false}\n"...), nil
		}
	case *conversationv1.Event_ToolCall:
		if kind.ToolCall.GetChoice() == 0 {
			e.clock.touch(now)
			return dst, e.hold(kind.ToolCall)
		}
	case *conversationv1.Event_ChoiceFinished:
		if kind.ChoiceFinished.GetChoice() == 0 {
			e.reason = kind.ChoiceFinished.GetReason()
			return e.flush(dst, now), nil
		}
	case *conversationv1.Event_Usage:
		e.usage = wire.CopyUsage(kind.Usage)
	case *conversationv1.Event_Finished:
		e.ended = true
		return e.last(e.flush(dst, now), now), nil
	case *conversationv1.Event_Failed:
		e.ended = true
		return append(appendError(dst, failureText(kind.Failed)), '\n'), nil
	}
	return dst, nil
}

func (e *streamEncoder) start(model string, now time.Time) {
	if e.options.Model != "" {
		model = e.options.Model
	}
	e.model = model
	e.clock.started = now
	e.head = append(jsonscan.AppendString([]byte(`{"model":`), model), `,"created_at":"`...)
}

// line begins a line.
func (e *streamEncoder) line(dst []byte, now time.Time) []byte {
	if e.head == nil {
		e.start("", now)
	}
	return append(now.UTC().AppendFormat(append(dst, e.head...), time.RFC3339Nano), '"')
}

func (e *streamEncoder) text(dst []byte, delta *conversationv1.TextDelta, now time.Time) []byte {
	if delta.GetChoice() != 0 || delta.GetText() == "" && len(delta.GetLogprobs()) == 0 {
		return dst
	}
	e.clock.touch(now)
	dst = e.content(e.line(dst, now), delta.GetText(), "", nil)
	dst = append(dst, `,"done":false`...)
	if len(delta.GetLogprobs()) > 0 {
		dst = appendLogprobs(append(dst, `,"logprobs":`...), delta.GetLogprobs())
	}
	return append(dst, "}\n"...)
}

// content appends what a line says: members of their own for /api/generate, a
// message for /api/chat. calls is a JSON array or nil.
func (c codec) content(dst []byte, text, thinking string, calls []byte) []byte {
	if c.generate() {
		dst = jsonscan.AppendString(append(dst, `,"response":`...), text)
	} else {
		dst = jsonscan.AppendString(append(dst, `,"message":{"role":"assistant","content":`...), text)
	}
	if thinking != "" {
		dst = jsonscan.AppendString(append(dst, `,"thinking":`...), thinking)
	}
	if len(calls) > 0 {
		dst = append(append(dst, `,"tool_calls":`...), calls...)
	}
	if !c.generate() {
		dst = append(dst, '}')
	}
	return dst
}

// hold keeps a piece of a tool call until the call is whole. Calls may come in
// turns.
func (e *streamEncoder) hold(delta *conversationv1.ToolCallDelta) error {
	index := int(delta.GetIndex())
	e.held += len(delta.GetArgumentsJson()) + len(delta.GetName()) + len(delta.GetId())
	if e.held > maxHeld {
		return fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE,
			"the answer's tool calls are too large", "limit_bytes", strconv.Itoa(maxHeld))
	}
	switch {
	case index == len(e.calls):
		e.calls = append(e.calls, heldCall{id: delta.GetId(), name: delta.GetName()})
	case index > len(e.calls) || index < 0:
		return fault.Internal(errToolIndex)
	}
	e.calls[index].arguments = append(e.calls[index].arguments, delta.GetArgumentsJson()...)
	return nil
}

// flush writes the calls held back, a line each.
func (e *streamEncoder) flush(dst []byte, now time.Time) []byte {
	for i := range e.calls {
		call := &e.calls[i]
		list := writer{jsonbody.Writer{B: []byte{'['}}}
		list.call(i, call.id, call.name, string(call.arguments))
		list.Close(']')
		dst = append(e.content(e.line(dst, now), "", "", list.B), ",\"done\":false}\n"...)
	}
	e.calls, e.held = nil, 0
	return dst
}

// call writes a whole tool call as clients read it.
func (w *writer) call(index int, id, name, arguments string) {
	object, _ := argumentsObject(arguments)
	w.Open('{')
	w.StrField("id", id)
	w.Key("function")
	w.Open('{')
	w.IntField("index", int64(index))
	w.StrField("name", name)
	w.RawField("arguments", object)
	w.Close('}')
	w.Close('}')
}

// last writes the line that ends the answer.
func (e *streamEncoder) last(dst []byte, now time.Time) []byte {
	dst = e.content(e.line(dst, now), "", "", nil)
	input, output := e.usage.GetInputTokens(), e.usage.GetOutputTokens()
	if e.usage == nil {
		input = e.options.InputTokens
	}
	dst = appendDone(dst, e.reason, e.clock.statistics(now, input, output))
	return append(dst, '\n')
}

// touch notes the time of the first thing that the model said.
func (c *clock) touch(now time.Time) {
	if c.first.IsZero() {
		c.first = now
	}
}

// statistics are what the last line of an answer tells. Durations are at least
// a nanosecond: clients divide by them.
type statistics struct {
	total, load, promptEval, eval time.Duration
	input, output                 int64
}

func (c *clock) statistics(now time.Time, input, output int64) statistics {
	started, first := c.started, c.first
	if started.IsZero() {
		started = c.asked
	}
	if first.IsZero() {
		first = now
	}
	s := statistics{
		load: max(started.Sub(c.asked), 1), promptEval: max(first.Sub(started), 1), eval: max(now.Sub(first), 1),
		input: input, output: output,
	}
	s.total = max(now.Sub(c.asked), s.load+s.promptEval+s.eval)
	return s
}

// appendDone appends the members that end an answer, and the closing brace. A
// model that wants its tools run was done, in this dialect.
func appendDone(dst []byte, reason conversationv1.FinishReason, s statistics) []byte {
	word := "stop"
	if reason == conversationv1.FinishReason_FINISH_REASON_LENGTH {
		word = "length"
	}
	w := writer{jsonbody.Writer{B: append(dst, `,"done":true`...)}}
	switch reason {
	case conversationv1.FinishReason_FINISH_REASON_LOAD:
		word = "load"
	case conversationv1.FinishReason_FINISH_REASON_UNLOAD:
		word = "unload"
	}
	w.StrField("done_reason", word)
	if word == "stop" || word == "length" {
		w.IntField("total_duration", int64(s.total))
		w.IntField("load_duration", int64(s.load))
		w.IntField("prompt_eval_count", s.input)
		w.IntField("prompt_eval_duration", int64(s.promptEval))
		w.IntField("eval_count", s.output)
		w.IntField("eval_duration", int64(s.eval))
	}
	w.Close('}')
	return w.B
}

func appendLogprobs(dst []byte, tokens []*conversationv1.TokenLogprob) []byte {
	w := writer{jsonbody.Writer{B: dst}}
	w.logprobs(tokens)
	return w.B
}

func (w *writer) logprobs(tokens []*conversationv1.TokenLogprob) {
	w.Open('[')
	for _, t := range tokens {
		w.Open('{')
		w.StrField("token", t.GetToken())
		w.Key("logprob")
		w.Float(t.GetLogprob())
		if len(t.GetBytes()) > 0 {
			w.Key("bytes")
			w.Open('[')
			for _, b := range t.GetBytes() {
				w.Int(int64(b))
			}
			w.Close(']')
		}
		if len(t.GetTop()) > 0 {
			w.Key("top_logprobs")
			w.logprobs(t.GetTop())
		}
		w.Close('}')
	}
	w.Close(']')
}
