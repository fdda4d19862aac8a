package anthropic

import (
	"sync"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/alike"
)

// maxBlocks is how many blocks an answer may have.
const maxBlocks = 1 << 16

// streamDecoder decodes the events of one answer.
type streamDecoder struct {
	progress
	blocks map[int64]*block
	calls  int32
	parts  [5]jsonscan.Member

	twin    alike.Event // the last event, where it added to a text
	like    alike.Texts // of those that were like it
	lessons int         // how often one was kept since another was like it
}

// deltaLead is what the API sends before the data of a delta.
const deltaLead = "event: content_block_delta\ndata: "

// block is one that has begun and not ended.
type block struct {
	kind      string
	call      int32  // its number among the tool calls
	input     string // of a call: what came with the start
	written   bool   // of a call: arguments have come
	signature string
}

var (
	blockStartKeys = jsonscan.NewKeys("type", "id", "name", "input", "text", "thinking", "signature", "data")
	deltaKeys      = jsonscan.NewKeys("type", "text", "thinking", "partial_json", "signature")
)

// Decode implements wire.StreamDecoder. Events and deltas of unknown types are
// passed over, as is what follows message_stop, unless it tells of an error.
func (d *streamDecoder) Decode(dst []*conversationv1.Event, data []byte) ([]*conversationv1.Event, error) {
	var err error
	d.like.Back()
	for !d.failed && err == nil {
		if d.twin.Known {
			count := 0
			if dst, data, count = d.like.Decode(dst, &d.twin, 0, data); count > 0 {
				d.lessons = 0
			}
		}
		if len(data) == 0 {
			break
		}
		var event wire.ServerEvent
		if event, data = wire.NextServerEvent(data); len(event.Data) > 0 {
			dst, err = d.decodeEvent(dst, event.Data)
		}
	}
	return dst, err
}

// decoders are those of streams that may be used again.
var decoders = sync.Pool{New: func() any { return new(streamDecoder) }}

// NewStreamDecoder implements wire.Codec.
func (codec) NewStreamDecoder() wire.StreamDecoder { return decoders.Get().(*streamDecoder) }

// Release gives the decoder's memory to others: it must not be used any more.
func (d *streamDecoder) Release() {
	d.twin.Forget()
	d.like.Forget()
	*d = streamDecoder{twin: d.twin, like: d.like}
	decoders.Put(d)
}

// LendEvents implements wire.Lender.
func (d *streamDecoder) LendEvents() { d.like.Lend() }

// End implements wire.StreamDecoder.
func (d *streamDecoder) End(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	return d.end(dst)
}

func (d *streamDecoder) decodeEvent(dst []*conversationv1.Event, data []byte) ([]*conversationv1.Event, error) {
	d.twin.Known = false
	kind, err := d.scan(data)
	if err != nil {
		return dst, err
	}
	if string(kind) == "error" {
		return d.fail(dst, data), nil
	}
	if d.done {
		return dst, nil
	}
	switch string(kind) {
	case "message_start":
		return d.start(dst, data)
	case "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop":
		if !d.started {
			return dst, protocol("an event before message_start", nil)
		}
	default:
		return dst, nil
	}
	switch string(kind) {
	case "content_block_start":
		return d.blockStart(dst, data)
	case "content_block_delta":
		return d.blockDelta(dst, data)
	case "content_block_stop":
		return d.blockStop(dst, d.index(data)), nil
	case "message_delta":
		return d.delta(dst, data), nil
	}
	d.done = true
	return append(d.closeBlocks(dst), choiceFinishedEvent(d.choiceFinished())), nil
}

func (d *streamDecoder) choiceFinished() *conversationv1.ChoiceFinished {
	reason := finishReason(d.stop)
	if reason == conversationv1.FinishReason_FINISH_REASON_UNSPECIFIED && d.calls > 0 {
		reason = conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS
	}
	return &conversationv1.ChoiceFinished{Reason: reason, StopSequence: d.sequence}
}

func (d *streamDecoder) index(data []byte) int64 {
	index, err := d.at[atIndex].Int64(data)
	if err != nil {
		return 0
	}
	return index
}

// blockStart reads content_block_start. The API begins blocks empty; servers
// that imitate it may put the whole content here.
func (d *streamDecoder) blockStart(dst []*conversationv1.Event, data []byte) ([]*conversationv1.Event, error) {
	if d.at[atContentBlock].Kind != jsonscan.Object {
		return dst, protocol("a block without content", nil)
	}
	var room [8]jsonscan.Member
	at, err := jsonscan.ScanObject(data, d.at[atContentBlock].Value, blockStartKeys, room[:0])
	if err != nil {
		return dst, protocol("a block that cannot be read", err)
	}
	b := &block{kind: textOf(at[0], data)}
	index := d.index(data)
	if d.blocks == nil {
		d.blocks = map[int64]*block{}
	}
	if d.blocks[index] != nil || len(d.blocks) >= maxBlocks {
		return dst, protocol("a block twice", nil)
	}
	d.blocks[index] = b
	switch b.kind {
	case "text":
		if text := textOf(at[4], data); text != "" {
			dst = append(dst, textEvent(text))
		}
	case "thinking":
		if thought := textOf(at[5], data); thought != "" {
			dst = append(dst, reasoningEvent(thought))
		}
		b.signature = textOf(at[6], data)
	case "redacted_thinking":
		if secret := textOf(at[7], data); secret != "" {
			dst = append(dst, redactedEvent(secret))
		}
	case "tool_use":
		id, name := textOf(at[1], data), textOf(at[2], data)
		if id == "" || name == "" {
			return dst, protocol("a tool call without id or name", nil)
		}
		if at[3].Kind == jsonscan.Object {
			b.input = string(at[3].Raw(data))
		}
		b.call = d.calls
		d.calls++
		dst = append(dst, toolCallEvent(b.call, id, name, ""))
	}
	return dst, nil
}

func (d *streamDecoder) blockDelta(dst []*conversationv1.Event, data []byte) ([]*conversationv1.Event, error) {
	if d.at[atDelta].Kind != jsonscan.Object {
		return dst, protocol("a delta without content", nil)
	}
	at, err := jsonscan.ScanObject(data, d.at[atDelta].Value, deltaKeys, d.parts[:0])
	if err != nil {
		return dst, protocol("a delta that cannot be read", err)
	}
	if at[0].Kind != jsonscan.String {
		return dst, nil
	}
	kind := at[0].Raw(data)
	field := 0
	switch string(kind[1 : len(kind)-1]) {
	case "text_delta":
		field = 1
	case "thinking_delta":
		field = 2
	case "input_json_delta":
		field = 3
	case "signature_delta":
		field = 4
	default:
		return dst, nil
	}
	text, err := at[field].Text(data)
	if err != nil {
		return dst, protocol("a delta that cannot be read", err)
	}
	b := d.blocks[d.index(data)]
	switch {
	case text == "":
	case field == 1:
		dst = append(dst, textEvent(text))
		if d.lessons < alike.MaxLessons {
			d.lessons++
			d.twin.Learn(deltaLead, data, at[1].Value.Start+1, at[1].Value.End-1)
		}
	case field == 2:
		dst = append(dst, reasoningEvent(text))
	case b == nil:
		return dst, protocol("a delta of no block", nil)
	case field == 4:
		b.signature += text
	case b.kind == "tool_use":
		b.written = true
		dst = append(dst, toolCallEvent(b.call, "", "", text))
	}
	return dst, nil
}

// blockStop ends a block: its signature is whole, and a call without arguments
// has none.
func (d *streamDecoder) blockStop(dst []*conversationv1.Event, index int64) []*conversationv1.Event {
	b := d.blocks[index]
	if b == nil {
		return dst
	}
	delete(d.blocks, index)
	switch {
	case b.signature != "":
		dst = append(dst, signatureEvent(b.signature))
	case b.kind == "tool_use" && !b.written:
		if b.input == "" {
			b.input = "{}"
		}
		dst = append(dst, toolCallEvent(b.call, "", "", b.input))
	}
	return dst
}

// closeBlocks ends the blocks that were left open.
func (d *streamDecoder) closeBlocks(dst []*conversationv1.Event) []*conversationv1.Event {
	for len(d.blocks) > 0 {
		first := int64(-1)
		for index := range d.blocks {
			if first < 0 || index < first {
				first = index
			}
		}
		dst = d.blockStop(dst, first)
	}
	return dst
}
