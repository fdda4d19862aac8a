package bedrock

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/events"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// maxBlocks is how many blocks an answer may have open at once.
const maxBlocks = 1 << 12

// streamDecoder decodes the events of one answer.
type streamDecoder struct {
	progress
	blocks map[int64]*block
	calls  int32
}

// block is one that has begun and not ended.
type block struct {
	isCall    bool
	call      int32 // its number among the tool calls
	written   bool  // of a call: arguments have come
	signature string
}

var (
	startKeys     = jsonscan.NewKeys("contentBlockIndex", "start")
	toolStartKeys = jsonscan.NewKeys("toolUse")
	toolUseKeys   = jsonscan.NewKeys("toolUseId", "name", "input")
	deltaKeys     = jsonscan.NewKeys("contentBlockIndex", "delta")
	contentKeys   = jsonscan.NewKeys("text", "toolUse", "reasoningContent")
	reasoningKeys = jsonscan.NewKeys("text", "signature", "redactedContent")
)

// Decode implements wire.StreamDecoder. Events and deltas of unknown kinds are
// passed over; nothing is read behind an error.
func (d *streamDecoder) Decode(dst []*conversationv1.Event, data []byte) ([]*conversationv1.Event, error) {
	var err error
	for len(data) > 0 && !d.failed && err == nil {
		var line []byte
		if line, data = nextLine(data); len(line) > 0 {
			dst, err = d.event(dst, line)
		}
	}
	return dst, err
}

// End implements wire.StreamDecoder.
func (d *streamDecoder) End(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	return d.end(dst)
}

func (d *streamDecoder) event(dst []*conversationv1.Event, line []byte) ([]*conversationv1.Event, error) {
	name, payload, err := eventOf(line)
	switch {
	case err != nil:
		return dst, err
	case isException(name):
		return d.fail(dst, name), nil
	case name == "messageStart":
		return d.start(dst)
	case !d.started:
		return dst, jsonbody.Protocol("an event before messageStart", nil)
	case name == "metadata":
		return d.metadata(dst, line, payload), nil
	case d.done:
		return dst, nil
	}
	switch name {
	case "contentBlockStart":
		return d.blockStart(dst, line, payload)
	case "contentBlockDelta":
		return d.blockDelta(dst, line, payload)
	case "contentBlockStop":
		var room [2]jsonscan.Member
		at, err := jsonscan.ScanObject(line, payload.Value, deltaKeys, room[:0])
		if err != nil {
			return dst, jsonbody.Protocol("the end of a block that cannot be read", err)
		}
		return d.blockStop(dst, indexOf(at[0], line)), nil
	case "messageStop":
		if err := d.messageStop(line, payload); err != nil {
			return dst, err
		}
		return d.finishChoice(d.closeBlocks(dst)), nil
	}
	return dst, nil
}

// finishChoice ends the choice, but for a spoiled one.
func (d *streamDecoder) finishChoice(dst []*conversationv1.Event) []*conversationv1.Event {
	for _, word := range spoiled {
		if d.stop == word {
			return dst
		}
	}
	return append(dst, events.ChoiceFinished(&conversationv1.ChoiceFinished{Reason: finishReason(d.stop, d.calls > 0)}))
}

func indexOf(m jsonscan.Member, line []byte) int64 {
	index, err := m.Int64(line)
	if err != nil {
		return 0
	}
	return index
}

// block returns the block of an index, which texts and thoughts do not announce.
func (d *streamDecoder) block(index int64) (*block, error) {
	b := d.blocks[index]
	if b == nil {
		if len(d.blocks) >= maxBlocks {
			return nil, jsonbody.Protocol("too many blocks", nil)
		}
		if d.blocks == nil {
			d.blocks = map[int64]*block{}
		}
		b = &block{}
		d.blocks[index] = b
	}
	return b, nil
}

func (d *streamDecoder) blockStart(dst []*conversationv1.Event, line []byte, payload jsonscan.Member) ([]*conversationv1.Event, error) {
	var room [4]jsonscan.Member
	at, err := jsonscan.ScanObject(line, payload.Value, startKeys, room[:0])
	if err != nil {
		return dst, jsonbody.Protocol("the start of a block that cannot be read", err)
	}
	index := indexOf(at[0], line)
	if at[1].Kind != jsonscan.Object {
		return dst, nil
	}
	if at, err = jsonscan.ScanObject(line, at[1].Value, toolStartKeys, room[:0]); err != nil {
		return dst, jsonbody.Protocol("the start of a block that cannot be read", err)
	}
	if at[0].Kind != jsonscan.Object {
		return dst, nil
	}
	if d.blocks[index] != nil {
		return dst, jsonbody.Protocol("a block twice", nil)
	}
	if at, err = jsonscan.ScanObject(line, at[0].Value, toolUseKeys, room[:0]); err != nil {
		return dst, jsonbody.Protocol("a tool call that cannot be read", err)
	}
	id, name := jsonbody.Text(at[0], line), jsonbody.Text(at[1], line)
	if id == "" || name == "" {
		return dst, jsonbody.Protocol("a tool call without id or name", nil)
	}
	b, err := d.block(index)
	if err != nil {
		return dst, err
	}
	b.isCall, b.call = true, d.calls
	d.calls++
	return append(dst, events.ToolCall(&conversationv1.ToolCallDelta{Index: b.call, Id: id, Name: name})), nil
}

func (d *streamDecoder) blockDelta(dst []*conversationv1.Event, line []byte, payload jsonscan.Member) ([]*conversationv1.Event, error) {
	var outer, room [3]jsonscan.Member
	at, err := jsonscan.ScanObject(line, payload.Value, deltaKeys, outer[:0])
	if err != nil || at[1].Kind != jsonscan.Object {
		return dst, jsonbody.Protocol("a delta that cannot be read", err)
	}
	index := indexOf(at[0], line)
	if at, err = jsonscan.ScanObject(line, at[1].Value, contentKeys, room[:0]); err != nil {
		return dst, jsonbody.Protocol("a delta that cannot be read", err)
	}
	switch {
	case at[0].Kind == jsonscan.String:
		text, err := at[0].Text(line)
		if err != nil {
			return dst, jsonbody.Protocol("a text that cannot be read", err)
		}
		if text != "" {
			dst = append(dst, events.Text(0, text))
		}
		return dst, nil
	case at[1].Kind == jsonscan.Object:
		return d.input(dst, line, index, at[1])
	case at[2].Kind == jsonscan.Object:
		return d.reasoning(dst, line, index, at[2])
	}
	return dst, nil
}

// input adds to the arguments of a call.
func (d *streamDecoder) input(dst []*conversationv1.Event, line []byte, index int64, m jsonscan.Member) ([]*conversationv1.Event, error) {
	var room [3]jsonscan.Member
	at, err := jsonscan.ScanObject(line, m.Value, toolUseKeys, room[:0])
	if err != nil || at[2].Kind != jsonscan.String {
		return dst, jsonbody.Protocol("arguments that cannot be read", err)
	}
	b := d.blocks[index]
	if b == nil || !b.isCall {
		return dst, jsonbody.Protocol("arguments of no tool call", nil)
	}
	text, err := at[2].Text(line)
	if err != nil {
		return dst, jsonbody.Protocol("arguments that cannot be read", err)
	}
	if text != "" {
		b.written = true
		dst = append(dst, events.ToolCall(&conversationv1.ToolCallDelta{Index: b.call, ArgumentsJson: text}))
	}
	return dst, nil
}

func (d *streamDecoder) reasoning(dst []*conversationv1.Event, line []byte, index int64, m jsonscan.Member) ([]*conversationv1.Event, error) {
	var room [3]jsonscan.Member
	at, err := jsonscan.ScanObject(line, m.Value, reasoningKeys, room[:0])
	if err != nil {
		return dst, jsonbody.Protocol("a thought that cannot be read", err)
	}
	if text := jsonbody.Text(at[0], line); text != "" {
		dst = append(dst, events.Reasoning(0, text))
	}
	if signature := jsonbody.Text(at[1], line); signature != "" {
		b, err := d.block(index)
		if err != nil {
			return dst, err
		}
		b.signature += signature
	}
	if secret := jsonbody.Text(at[2], line); secret != "" {
		dst = append(dst, events.Redacted(0, secret))
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
		dst = append(dst, events.Signature(0, b.signature))
	case b.isCall && !b.written:
		dst = append(dst, events.ToolCall(&conversationv1.ToolCallDelta{Index: b.call, ArgumentsJson: "{}"}))
	}
	return dst
}

// closeBlocks ends the blocks that were left open, in their order.
func (d *streamDecoder) closeBlocks(dst []*conversationv1.Event) []*conversationv1.Event {
	for len(d.blocks) > 0 {
		first, any := int64(0), false
		for index := range d.blocks {
			if !any || index < first {
				first, any = index, true
			}
		}
		dst = d.blockStop(dst, first)
	}
	return dst
}
