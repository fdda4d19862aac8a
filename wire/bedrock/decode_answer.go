package bedrock

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/events"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

var (
	answerKeys  = jsonscan.NewKeys("output", "stopReason", "usage")
	outputKeys  = jsonscan.NewKeys("message")
	messageKeys = jsonscan.NewKeys("content")
	blockKeys   = jsonscan.NewKeys("text", "toolUse", "reasoningContent")
	thoughtKeys = jsonscan.NewKeys("reasoningText", "redactedContent")
)

// DecodeAnswer implements wire.Codec.
func (codec) DecodeAnswer(body []byte) ([]*conversationv1.Event, error) {
	var room, inside [3]jsonscan.Member
	at, err := jsonscan.Scan(body, answerKeys, room[:0])
	if err != nil {
		return nil, jsonbody.Protocol("an answer that is not a JSON object", err)
	}
	content := at[0]
	for _, keys := range []*jsonscan.Keys{outputKeys, messageKeys} {
		if content.Kind != jsonscan.Object {
			return nil, jsonbody.Protocol("an answer without a message", nil)
		}
		found, err := jsonscan.ScanObject(body, content.Value, keys, inside[:0])
		if err != nil {
			return nil, jsonbody.Protocol("a message that cannot be read", err)
		}
		content = found[0]
	}
	if content.Kind != jsonscan.Array || at[1].Kind != jsonscan.String {
		return nil, jsonbody.Protocol("an answer without content or stopReason", nil)
	}
	d := &streamDecoder{}
	decoded, _ := d.start(nil)
	var failed error
	err = jsonscan.ForEachElement(body, content.Value, func(m jsonscan.Member) bool {
		decoded, failed = d.whole(decoded, body, m)
		return failed == nil
	})
	switch {
	case failed != nil:
		return nil, failed
	case err != nil:
		return nil, jsonbody.Protocol("content that cannot be read", err)
	}
	d.stop, d.done = jsonbody.Text(at[1], body), true
	decoded = d.finishChoice(decoded)
	if usage := readUsage(body, at[2]); usage != nil {
		decoded = append(decoded, events.Usage(usage))
	}
	return d.end(decoded)
}

// whole reads a block that came in one piece. Blocks of other kinds are passed
// over.
func (d *streamDecoder) whole(dst []*conversationv1.Event, body []byte, m jsonscan.Member) ([]*conversationv1.Event, error) {
	if m.Kind != jsonscan.Object {
		return dst, jsonbody.Protocol("a block that is not an object", nil)
	}
	var outer, room [3]jsonscan.Member
	at, err := jsonscan.ScanObject(body, m.Value, blockKeys, outer[:0])
	if err != nil {
		return dst, jsonbody.Protocol("a block that cannot be read", err)
	}
	if text := jsonbody.Text(at[0], body); text != "" {
		dst = append(dst, events.Text(0, text))
	}
	if at[1].Kind == jsonscan.Object {
		call, err := jsonscan.ScanObject(body, at[1].Value, toolUseKeys, room[:0])
		if err != nil {
			return dst, jsonbody.Protocol("a tool call that cannot be read", err)
		}
		delta := &conversationv1.ToolCallDelta{
			Index: d.calls, Id: jsonbody.Text(call[0], body), Name: jsonbody.Text(call[1], body), ArgumentsJson: "{}",
		}
		if delta.Id == "" || delta.Name == "" {
			return dst, jsonbody.Protocol("a tool call without id or name", nil)
		}
		if call[2].Kind == jsonscan.Object {
			delta.ArgumentsJson = string(call[2].Raw(body))
		}
		d.calls++
		dst = append(dst, events.ToolCall(delta))
	}
	if at[2].Kind != jsonscan.Object {
		return dst, nil
	}
	thought, err := jsonscan.ScanObject(body, at[2].Value, thoughtKeys, room[:0])
	if err != nil {
		return dst, jsonbody.Protocol("a thought that cannot be read", err)
	}
	if secret := jsonbody.Text(thought[1], body); secret != "" {
		dst = append(dst, events.Redacted(0, secret))
	}
	if thought[0].Kind == jsonscan.Object {
		if thought, err = jsonscan.ScanObject(body, thought[0].Value, reasoningKeys, room[:0]); err != nil {
			return dst, jsonbody.Protocol("a thought that cannot be read", err)
		}
		if text := jsonbody.Text(thought[0], body); text != "" {
			dst = append(dst, events.Reasoning(0, text))
		}
		if signature := jsonbody.Text(thought[1], body); signature != "" {
			dst = append(dst, events.Signature(0, signature))
		}
	}
	return dst, nil
}
