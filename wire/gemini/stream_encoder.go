package gemini

import (
	"strconv"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/signer"
	"google.golang.org/grpc/codes"
)

// maxHeld is how many bytes of calls, and of what waits behind them, an encoder
// holds back.
const maxHeld = 32 << 20

// streamEncoder encodes one answer as server-sent events, one part each. Calls
// are sent whole: what is said behind one that is not waits for it. The reasons
// why the choices ended come with the last event, as does the usage.
type streamEncoder struct {
	identity
	choices []*outChoice
	usage   *conversationv1.Usage
	held    int
	ended   bool
}

// outChoice is how far a choice is written.
type outChoice struct {
	partWriter
	index    int32
	queue    []*outPart // the first one is a call that is not whole
	calls    []*outPart
	finished bool
	reason   conversationv1.FinishReason
}

// outPart is what waits to be written.
type outPart struct {
	call      *conversationv1.ToolCall
	arguments []byte
	shape     jsonbody.Shape
	text      string
	thought   bool
	signature string
	logprobs  []*conversationv1.TokenLogprob
}

// Encode implements wire.StreamEncoder.
func (e *streamEncoder) Encode(dst []byte, list []*conversationv1.Event) ([]byte, error) {
	for _, event := range list {
		if e.ended {
			return dst, nil
		}
		var err error
		if dst, err = e.encode(dst, event); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (e *streamEncoder) encode(dst []byte, event *conversationv1.Event) ([]byte, error) {
	switch kind := event.GetKind().(type) {
	case *conversationv1.Event_Started:
		e.start(kind.Started)
	case *conversationv1.Event_Text:
		return e.say(dst, kind.Text)
	case *conversationv1.Event_Refusal:
		return e.say(dst, kind.Refusal)
	case *conversationv1.Event_Reasoning:
		return e.reasoning(dst, kind.Reasoning)
	case *conversationv1.Event_ToolCall:
		return e.toolCall(dst, kind.ToolCall)
	case *conversationv1.Event_ChoiceFinished:
		choice := e.choice(kind.ChoiceFinished.GetChoice())
		choice.finished, choice.reason = true, kind.ChoiceFinished.GetReason()
		return e.advance(dst, choice), nil
	case *conversationv1.Event_Usage:
		e.usage = wire.CopyUsage(kind.Usage)
	case *conversationv1.Event_Finished:
		e.ended = true
		return e.finish(dst), nil
	case *conversationv1.Event_Failed:
		e.ended = true
		return append(appendError(append(dst, "data: "...), wire.Fault(kind.Failed)), "\r\n\r\n"...), nil
	}
	return dst, nil
}

func (e *streamEncoder) choice(index int32) *outChoice {
	for int(index) >= len(e.choices) {
		e.choices = append(e.choices, &outChoice{index: int32(len(e.choices))})
	}
	return e.choices[index]
}

func (e *streamEncoder) say(dst []byte, delta *conversationv1.TextDelta) ([]byte, error) {
	if delta.GetText() == "" && len(delta.GetLogprobs()) == 0 {
		return dst, nil
	}
	return e.add(dst, e.choice(delta.GetChoice()), &outPart{text: delta.GetText(), logprobs: delta.GetLogprobs()})
}

func (e *streamEncoder) reasoning(dst []byte, delta *conversationv1.ReasoningDelta) ([]byte, error) {
	choice, err := e.choice(delta.GetChoice()), error(nil)
	if delta.GetText() != "" {
		if dst, err = e.add(dst, choice, &outPart{text: delta.GetText(), thought: true}); err != nil {
			return dst, err
		}
	}
	if delta.GetSignature() != "" {
		return e.add(dst, choice, &outPart{signature: signer.Gemini.Show(delta.GetSignature())})
	}
	return dst, nil // An encrypted block has no form here.
}

func (e *streamEncoder) toolCall(dst []byte, delta *conversationv1.ToolCallDelta) ([]byte, error) {
	choice := e.choice(delta.GetChoice())
	if index := int(delta.GetIndex()); index < len(choice.calls) {
		part := choice.calls[index]
		if part == nil {
			return dst, nil // Only blank space can stand behind a whole call.
		}
		return e.grow(dst, choice, part, delta.GetArgumentsJson())
	}
	part := &outPart{call: &conversationv1.ToolCall{Id: delta.GetId(), Name: delta.GetName()}}
	choice.calls = append(choice.calls, part)
	dst, err := e.add(dst, choice, part)
	if err != nil {
		return dst, err
	}
	return e.grow(dst, choice, part, delta.GetArgumentsJson())
}

func (e *streamEncoder) grow(dst []byte, choice *outChoice, part *outPart, arguments string) ([]byte, error) {
	part.arguments = append(part.arguments, arguments...)
	part.shape.Follow(arguments)
	if e.held += len(arguments); e.held > maxHeld {
		return dst, tooLarge()
	}
	return e.advance(dst, choice), nil
}

func tooLarge() error {
	return fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE,
		"the answer's tool calls are too large", "limit_bytes", strconv.Itoa(maxHeld))
}

// add puts a part behind those that wait.
func (e *streamEncoder) add(dst []byte, choice *outChoice, part *outPart) ([]byte, error) {
	choice.queue = append(choice.queue, part)
	if e.held += len(part.text) + len(part.signature); e.held > maxHeld {
		return dst, tooLarge()
	}
	return e.advance(dst, choice), nil
}

// advance writes what need not wait.
func (e *streamEncoder) advance(dst []byte, choice *outChoice) []byte {
	for len(choice.queue) > 0 {
		part := choice.queue[0]
		// More of a call may come until another part or the end has.
		if part.call != nil && !choice.finished && !part.shape.Whole() {
			return dst
		}
		choice.queue = choice.queue[1:]
		e.held -= len(part.text) + len(part.signature) + len(part.arguments)
		dst = e.write(dst, choice, part)
	}
	return dst
}

func (e *streamEncoder) write(dst []byte, choice *outChoice, part *outPart) []byte {
	switch {
	case part.signature != "":
		if choice.signature != "" { // Its own part never came.
			dst = e.event(dst, choice, &outPart{})
		}
		choice.signature = part.signature
		return dst
	case part.call != nil:
		part.call.ArgumentsJson = string(part.arguments)
		for i := range choice.calls {
			if choice.calls[i] == part {
				choice.calls[i] = nil
			}
		}
	case part.thought && choice.signature != "":
		dst = e.event(dst, choice, &outPart{})
	}
	return e.event(dst, choice, part)
}

// event writes one part as an event.
func (e *streamEncoder) event(dst []byte, choice *outChoice, part *outPart) []byte {
	w := &jsonbody.Writer{B: append(dst, `data: {"candidates":[{"content":{"parts":[`...)}
	if part.call != nil {
		choice.call(w, part.call)
	} else {
		choice.text(w, part.text, part.thought)
	}
	w.B = append(w.B, `],"role":"model"}`...)
	w.IntField("index", int64(choice.index))
	writeLogprobs(w, part.logprobs)
	w.B = append(w.B, "}]"...)
	e.identity.write(w)
	return append(w.B, "}\r\n\r\n"...)
}

// finish writes the last event.
func (e *streamEncoder) finish(dst []byte) []byte {
	for _, choice := range e.choices {
		choice.finished = true
		if dst = e.advance(dst, choice); choice.signature != "" {
			dst = e.event(dst, choice, &outPart{})
		}
	}
	if len(e.choices) == 0 {
		e.choice(0)
	}
	w := &jsonbody.Writer{B: append(dst, `data: {"candidates":[`...)}
	for _, choice := range e.choices {
		w.Open('{')
		w.RawField("content", `{"parts":[{"text":""}],"role":"model"}`)
		w.StrField("finishReason", reasonWord(choice.reason))
		w.IntField("index", int64(choice.index))
		w.Close('}')
	}
	w.Close(']')
	if e.usage != nil {
		writeUsage(w, e.usage)
	}
	e.identity.write(w)
	return append(w.B, "}\r\n\r\n"...)
}
