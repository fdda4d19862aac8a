package anthropic

import (
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// maxHeld is how many bytes of blocks an encoder holds back.
const maxHeld = 32 << 20

// streamEncoder encodes one answer as server-sent events.
//
// Blocks stand in a queue. The first is open and written as it comes; what the
// others say is held until the one before is done. A text or a thought is done
// when another block follows; a tool call when it is a whole JSON object and
// another block follows; each when the choice is finished.
type streamEncoder struct {
	options  wire.AnswerOptions
	queue    []*outBlock
	index    int64 // of the first block in the queue
	calls    int32 // tool calls begun
	held     int
	usage    *conversationv1.Usage
	reason   conversationv1.FinishReason
	sequence string
	ended    bool
	frame    []byte // see appendText
	framed   int64  // the index that it has
}

type outKind uint8

const (
	outText outKind = iota
	outThinking
	outRedacted
	outTool
)

// outBlock is a block that is written or waits to be.
type outBlock struct {
	kind      outKind
	open      bool
	sealed    bool           // a thought whose signature has come
	text      string         // of a redacted block: the data
	held      []byte         // what is not written yet
	shape     jsonbody.Shape // of a tool call's arguments
	call      int32
	id, name  string
	signature string
}

// AppendPing appends the event that keeps a client waiting.
func AppendPing(dst []byte) []byte {
	return append(dst, "event: ping\ndata: {\"type\":\"ping\"}\n\n"...)
}

// Encode implements wire.StreamEncoder. Started becomes message_start, with
// options.InputTokens as the count of input tokens.
func (e *streamEncoder) Encode(dst []byte, events []*conversationv1.Event) ([]byte, error) {
	for _, event := range events {
		if e.ended {
			return dst, nil
		}
		if delta := event.GetText(); delta != nil && e.writing() && delta.GetChoice() == 0 {
			if text := delta.GetText(); text != "" {
				dst = e.appendText(dst, text)
			}
			continue
		}
		var err error
		if dst, err = e.encode(dst, event); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// writing says that the only block there is is an open text.
func (e *streamEncoder) writing() bool {
	return len(e.queue) == 1 && e.queue[0].kind == outText && e.queue[0].open
}

func (e *streamEncoder) encode(dst []byte, event *conversationv1.Event) ([]byte, error) {
	switch kind := event.GetKind().(type) {
	case *conversationv1.Event_Started:
		return e.start(dst, kind.Started), nil
	case *conversationv1.Event_Text:
		return e.text(dst, kind.Text)
	case *conversationv1.Event_Refusal:
		return e.text(dst, kind.Refusal)
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
		dst = appendError(append(dst, "event: error\ndata: "...), wire.Fault(kind.Failed))
		if id := e.options.RequestID; id != "" {
			dst = append(dst[:len(dst)-len("}")], `,"request_id":`...)
			dst = append(jsonscan.AppendString(dst, id), '}')
		}
		return append(dst, "\n\n"...), nil
	}
	return dst, nil
}

func (e *streamEncoder) start(dst []byte, started *conversationv1.Started) []byte {
	w := writer{jsonbody.Writer{B: append(dst, "event: message_start\ndata: "...)}}
	w.B = append(w.B, `{"type":"message_start","message":{`...)
	w.writeIdentity(started, e.options)
	w.B = append(w.B, `,"content":[],"stop_reason":null,"stop_sequence":null`...)
	w.writeUsage(&conversationv1.Usage{InputTokens: e.options.InputTokens})
	return append(w.B, "}}\n\n"...)
}

// writeIdentity writes the members by which a message is known.
func (w *writer) writeIdentity(started *conversationv1.Started, options wire.AnswerOptions) {
	id, model := options.ID, options.Model
	switch {
	case id != "":
	case started.GetResponseId() != "":
		id = "msg_" + strings.TrimPrefix(started.GetResponseId(), "resp_")
	case started.GetProviderResponseId() != "":
		id = started.GetProviderResponseId()
	default:
		id = ids.New("msg")
	}
	if model == "" {
		model = started.GetModel()
	}
	w.StrField("id", id)
	w.StrField("type", "message")
	w.StrField("role", "assistant")
	w.StrField("model", model)
}

func (e *streamEncoder) text(dst []byte, delta *conversationv1.TextDelta) ([]byte, error) {
	if delta.GetChoice() != 0 || delta.GetText() == "" {
		return dst, nil
	}
	b := e.last(outText)
	if b == nil {
		b = e.add(&outBlock{kind: outText})
	}
	return e.write(dst, b, delta.GetText())
}

func (e *streamEncoder) reasoning(dst []byte, delta *conversationv1.ReasoningDelta) ([]byte, error) {
	if delta.GetChoice() != 0 {
		return dst, nil
	}
	var err error
	if delta.GetText() != "" || delta.GetSignature() != "" {
		b := e.last(outThinking)
		if b == nil || b.sealed {
			b = e.add(&outBlock{kind: outThinking})
		}
		if delta.GetSignature() != "" {
			b.signature, b.sealed = delta.GetSignature(), true
		}
		if dst, err = e.write(dst, b, delta.GetText()); err != nil {
			return dst, err
		}
	}
	if delta.GetRedacted() != "" {
		return e.write(dst, e.add(&outBlock{kind: outRedacted, text: delta.GetRedacted()}), "")
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
	if b.held = append(b.held, text...); b != e.queue[0] {
		if e.held += len(text) + len(b.text); e.held > maxHeld {
			return dst, fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE,
				"the answer's tool calls are too large", "limit_bytes", strconv.Itoa(maxHeld))
		}
	}
	return e.advance(dst), nil
}

// advance opens the first block and goes on to the next while it is done.
func (e *streamEncoder) advance(dst []byte) []byte {
	for len(e.queue) > 0 {
		b := e.queue[0]
		dst = e.openBlock(dst, b)
		sealed := b.kind == outRedacted || b.sealed
		if !sealed && (len(e.queue) == 1 || b.kind == outTool && !b.shape.Whole()) {
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

// stop writes the end of the message.
func (e *streamEncoder) stop(dst []byte) []byte {
	usage := e.usage
	if usage == nil {
		usage = &conversationv1.Usage{InputTokens: e.options.InputTokens}
	}
	w := writer{jsonbody.Writer{B: append(dst, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{"...)}}
	w.writeStop(stopReason(e.reason, e.sequence, e.calls > 0), e.sequence)
	w.Close('}')
	w.writeUsage(usage)
	return append(w.B, "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"...)
}

// openBlock writes the start of a block, once, and what was held of it.
func (e *streamEncoder) openBlock(dst []byte, b *outBlock) []byte {
	if b.open {
		return dst
	}
	b.open = true
	dst = append(dst, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":"...)
	dst = append(strconv.AppendInt(dst, e.index, 10), `,"content_block":`...)
	switch b.kind {
	case outText:
		dst = append(dst, `{"type":"text","text":""}`...)
	case outThinking:
		dst = append(dst, `{"type":"thinking","thinking":"","signature":""}`...)
	case outRedacted:
		dst = append(jsonscan.AppendString(append(dst, `{"type":"redacted_thinking","data":`...), b.text), '}')
	case outTool:
		dst = jsonscan.AppendString(append(dst, `{"type":"tool_use","id":`...), b.id)
		dst = jsonscan.AppendString(append(dst, `,"name":`...), b.name)
		dst = append(dst, `,"input":{}}`...)
	}
	dst = append(dst, "}\n\n"...)
	if len(b.held) > 0 {
		dst = e.delta(dst, b, string(b.held))
		e.held = max(e.held-len(b.held)-len(b.text), 0)
		b.held = nil
	}
	return dst
}

func (e *streamEncoder) delta(dst []byte, b *outBlock, text string) []byte {
	if text == "" {
		return dst
	}
	switch b.kind {
	case outText:
		return e.appendText(dst, text)
	case outThinking:
		return e.appendDelta(dst, `{"type":"thinking_delta","thinking":`, text)
	}
	return e.appendDelta(dst, `{"type":"input_json_delta","partial_json":`, text)
}

// textFrame is what stands before the text of a delta of a text block; index stands after
// textFrameHead of it.
const (
	textFrameHead = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"
	textFrameTail = `,"delta":{"type":"text_delta","text":`
)

// appendText is appendDelta of a text. Most events of most streams are such ones, so that what
// stands before their texts is made once for a block.
func (e *streamEncoder) appendText(dst []byte, text string) []byte {
	if len(e.frame) == 0 || e.framed != e.index {
		e.frame = append(strconv.AppendInt(append(e.frame[:0], textFrameHead...), e.index, 10), textFrameTail...)
		e.framed = e.index
	}
	return append(jsonscan.AppendString(append(dst, e.frame...), text), "}}\n\n"...)
}

func (e *streamEncoder) appendDelta(dst []byte, head, text string) []byte {
	dst = append(dst, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"...)
	dst = append(strconv.AppendInt(dst, e.index, 10), `,"delta":`...)
	dst = jsonscan.AppendString(append(dst, head...), text)
	return append(dst, "}}\n\n"...)
}

// closeBlock ends the first block. A thought always has a signature, though it
// may be empty.
func (e *streamEncoder) closeBlock(dst []byte, b *outBlock) []byte {
	if b.kind == outThinking {
		dst = e.appendDelta(dst, `{"type":"signature_delta","signature":`, b.signature)
	}
	dst = append(dst, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":"...)
	dst = append(strconv.AppendInt(dst, e.index, 10), "}\n\n"...)
	e.index++
	e.queue = e.queue[1:]
	return dst
}
