package bedrock

import (
	"strconv"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"google.golang.org/grpc/codes"
)

// maxHeld is how many bytes of blocks an encoder holds back.
const maxHeld = 32 << 20

// streamEncoder encodes one answer as events.
//
// Blocks stand in a queue. The first is written as it comes; what the others say
// is held until the one before is done. A text or a thought is done when another
// block follows; a tool call when it is a whole JSON object and another block
// follows; each when the choice is finished.
type streamEncoder struct {
	options  wire.AnswerOptions
	started  *conversationv1.Started
	queue    []*outBlock
	index    int64 // of the first block in the queue
	calls    int32 // tool calls begun
	held     int
	usage    *conversationv1.Usage
	reason   conversationv1.FinishReason
	sequence string
	ended    bool
}

type outKind uint8

const (
	outText outKind = iota
	outThought
	outRedacted
	outTool
)

// outBlock is a block that is written or waits to be.
type outBlock struct {
	kind      outKind
	open      bool
	sealed    bool   // nothing more can come
	held      []byte // what is not written yet
	shape     jsonbody.Shape
	call      int32
	id, name  string
	signature string
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
		e.started = wire.CopyStarted(kind.Started)
		return append(dst, "{\"messageStart\":{\"role\":\"assistant\"}}\n"...), nil
	case *conversationv1.Event_Text:
		return e.say(dst, outText, kind.Text.GetChoice(), kind.Text.GetText())
	case *conversationv1.Event_Refusal:
		return e.say(dst, outText, kind.Refusal.GetChoice(), kind.Refusal.GetText())
	case *conversationv1.Event_Reasoning:
		return e.reasoning(dst, kind.Reasoning)
	case *conversationv1.Event_ToolCall:
		return e.toolCall(dst, kind.ToolCall)
	case *conversationv1.Event_ChoiceFinished:
		if kind.ChoiceFinished.GetChoice() == 0 {
			e.reason, e.sequence = kind.ChoiceFinished.GetReason(), kind.ChoiceFinished.GetStopSequence()
			dst = e.flush(dst)
		}
	case *conversationv1.Event_Usage:
		e.usage = wire.CopyUsage(kind.Usage)
	case *conversationv1.Event_Finished:
		e.ended = true
		return e.stop(e.flush(dst)), nil
	case *conversationv1.Event_Failed:
		e.ended = true
		f := wire.Fault(kind.Failed)
		dst = append(jsonscan.AppendString(append(dst, '{'), exceptionOf(f)), ':')
		return append(appendMessage(dst, f), "}\n"...), nil
	}
	return dst, nil
}

func (e *streamEncoder) say(dst []byte, kind outKind, choice int32, text string) ([]byte, error) {
	if choice != 0 || text == "" {
		return dst, nil
	}
	b := e.last(kind)
	if b == nil || b.sealed {
		b = e.add(&outBlock{kind: kind})
	}
	return e.write(dst, b, text)
}

func (e *streamEncoder) reasoning(dst []byte, delta *conversationv1.ReasoningDelta) ([]byte, error) {
	dst, err := e.say(dst, outThought, delta.GetChoice(), delta.GetText())
	if err != nil || delta.GetChoice() != 0 {
		return dst, err
	}
	if delta.GetSignature() != "" {
		b := e.last(outThought)
		if b == nil || b.sealed {
			b = e.add(&outBlock{kind: outThought})
		}
		b.signature, b.sealed = delta.GetSignature(), true
		if dst, err = e.write(dst, b, ""); err != nil {
			return dst, err
		}
	}
	if delta.GetRedacted() != "" {
		return e.write(dst, e.add(&outBlock{kind: outRedacted, sealed: true}), delta.GetRedacted())
	}
	return dst, nil
}

func (e *streamEncoder) toolCall(dst []byte, delta *conversationv1.ToolCallDelta) ([]byte, error) {
	if delta.GetChoice() != 0 {
		return dst, nil
	}
	var b *outBlock
	for _, other := range e.queue {
		if other.kind == outTool && other.call == delta.GetIndex() {
			b = other
		}
	}
	if b == nil {
		if delta.GetIndex() != e.calls {
			return dst, nil // Only blank space can stand behind a whole call.
		}
		e.calls++
		b = e.add(&outBlock{kind: outTool, call: delta.GetIndex(), id: delta.GetId(), name: delta.GetName()})
	}
	b.shape.Follow(delta.GetArgumentsJson())
	return e.write(dst, b, delta.GetArgumentsJson())
}

// last is the newest block where it is of the kind, else nil.
func (e *streamEncoder) last(kind outKind) *outBlock {
	if n := len(e.queue); n > 0 && e.queue[n-1].kind == kind {
		return e.queue[n-1]
	}
	return nil
}

func (e *streamEncoder) add(b *outBlock) *outBlock {
	e.queue = append(e.queue, b)
	return b
}

// write writes to a block, or holds what it says where it is not its turn.
func (e *streamEncoder) write(dst []byte, b *outBlock, text string) ([]byte, error) {
	if b == e.queue[0] && b.open {
		return e.advance(e.delta(dst, b, text)), nil
	}
	b.held = append(b.held, text...)
	if e.held += len(text); e.held > maxHeld {
		return dst, fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE,
			"the answer's tool calls are too large", "limit_bytes", strconv.Itoa(maxHeld))
	}
	return e.advance(dst), nil
}

// advance opens the first block and goes on to the next while it is done.
func (e *streamEncoder) advance(dst []byte) []byte {
	for len(e.queue) > 0 {
		b := e.queue[0]
		dst = e.openBlock(dst, b)
		if !b.sealed && (len(e.queue) == 1 || b.kind == outTool && !b.shape.Whole()) {
			return dst
		}
		dst = e.closeBlock(dst, b)
	}
	return dst
}

// flush writes all that was held: nothing more comes.
func (e *streamEncoder) flush(dst []byte) []byte {
	for len(e.queue) > 0 {
		dst = e.closeBlock(e.openBlock(dst, e.queue[0]), e.queue[0])
	}
	return dst
}

// stop writes the end of the message and what follows it.
func (e *streamEncoder) stop(dst []byte) []byte {
	dst = append(dst, `{"messageStop":{"stopReason":"`...)
	dst = append(dst, stopReason(e.reason, e.sequence, e.calls > 0)...)
	w := &jsonbody.Writer{B: append(dst, "\"}}\n{\"metadata\":{"...)}
	writeUsage(w, e.usage)
	writeMetrics(w, e.started, e.options)
	return append(w.B, "}}\n"...)
}

// openBlock writes the start of a block, once, and what was held of it. Only
// calls announce themselves.
func (e *streamEncoder) openBlock(dst []byte, b *outBlock) []byte {
	if b.open {
		return dst
	}
	b.open = true
	if b.kind == outTool {
		dst = append(dst, `{"contentBlockStart":{"start":{"toolUse":{"toolUseId":`...)
		dst = append(jsonscan.AppendString(dst, b.id), `,"name":`...)
		dst = append(jsonscan.AppendString(dst, b.name), `}},"contentBlockIndex":`...)
		dst = append(strconv.AppendInt(dst, e.index, 10), "}}\n"...)
	}
	e.held -= len(b.held)
	dst = e.delta(dst, b, string(b.held))
	b.held = nil
	return dst
}

func (e *streamEncoder) delta(dst []byte, b *outBlock, text string) []byte {
	if text == "" {
		return dst
	}
	switch b.kind {
	case outText:
		return e.appendDelta(dst, `{"text":`, text, "}")
	case outThought:
		return e.appendDelta(dst, `{"reasoningContent":{"text":`, text, "}}")
	case outRedacted:
		return e.appendDelta(dst, `{"reasoningContent":{"redactedContent":`, text, "}}")
	}
	return e.appendDelta(dst, `{"toolUse":{"input":`, text, "}}")
}

func (e *streamEncoder) appendDelta(dst []byte, head, text, tail string) []byte {
	dst = append(append(dst, `{"contentBlockDelta":{"delta":`...), head...)
	dst = append(append(jsonscan.AppendString(dst, text), tail...), `,"contentBlockIndex":`...)
	return append(strconv.AppendInt(dst, e.index, 10), "}}\n"...)
}

// closeBlock ends the first block.
func (e *streamEncoder) closeBlock(dst []byte, b *outBlock) []byte {
	if b.signature != "" {
		dst = e.appendDelta(dst, `{"reasoningContent":{"signature":`, b.signature, "}}")
	}
	dst = append(dst, `{"contentBlockStop":{"contentBlockIndex":`...)
	dst = append(strconv.AppendInt(dst, e.index, 10), "}}\n"...)
	e.index++
	e.queue = e.queue[1:]
	return dst
}
