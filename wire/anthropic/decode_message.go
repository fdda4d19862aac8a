package anthropic

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// message decodes one message. A user's with tool results becomes two.
func (d *turnDecoder) message(e *value) error {
	role := ""
	var parts []*conversationv1.ContentPart
	var rest extra
	err := e.members(func(name string, m *value) (err error) {
		switch {
		case m.isNull():
		case name == "role":
			role, err = m.text()
		case name == "content":
			parts, err = d.content(m)
		default:
			rest.add(m)
		}
		return err
	})
	if err != nil {
		return err
	}
	add := func(role conversationv1.Role, parts []*conversationv1.ContentPart) {
		d.turn.Messages = append(d.turn.Messages, &conversationv1.Message{Role: role, Parts: parts})
	}
	switch role {
	case "assistant":
		add(conversationv1.Role_ROLE_ASSISTANT, parts)
	case "system":
		add(conversationv1.Role_ROLE_SYSTEM, parts)
	case "user":
		var results, others []*conversationv1.ContentPart
		for _, part := range parts {
			if part.GetToolResult() != nil {
				results = append(results, part)
			} else {
				others = append(others, part)
			}
		}
		if len(results) > 0 {
			add(conversationv1.Role_ROLE_TOOL, results)
		}
		if len(others) > 0 || len(results) == 0 {
			add(conversationv1.Role_ROLE_USER, others)
		}
	default:
		return malformed(e.path()+".role", "must be user or assistant")
	}
	d.turn.Messages[len(d.turn.Messages)-1].ExtraJson = rest.object()
	return nil
}

// content decodes a text or a list of blocks.
func (d *turnDecoder) content(m *value) ([]*conversationv1.ContentPart, error) {
	if m.Kind == jsonscan.String {
		text, err := m.text()
		if text == "" {
			return nil, err
		}
		return []*conversationv1.ContentPart{textPart(text)}, err
	}
	if m.Kind != jsonscan.Array {
		return nil, m.malformed("a string or a list of blocks")
	}
	var parts []*conversationv1.ContentPart
	err := m.elements(func(_ int, e *value) error {
		part, err := d.block(e)
		parts = append(parts, part)
		return err
	})
	return parts, err
}

func textPart(text string) *conversationv1.ContentPart {
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Text{Text: text}}
}

var blockKeys = jsonscan.NewKeys("type")

// block decodes one block by its type.
func (d *turnDecoder) block(e *value) (*conversationv1.ContentPart, error) {
	if e.Kind != jsonscan.Object {
		return nil, e.malformed("a block")
	}
	var room [1]jsonscan.Member
	at, err := jsonscan.ScanObject(e.body, e.Value, blockKeys, room[:0])
	if err != nil {
		return nil, scanFault(err)
	}
	kind, err := (&value{Member: at[0], body: e.body, parent: e}).text()
	if err != nil {
		return nil, malformed(e.path()+".type", "a block needs a type")
	}
	part := &conversationv1.ContentPart{}
	var rest extra
	switch kind {
	case "text":
		err = d.textBlock(e, part, &rest)
	case "image":
		err = d.imageBlock(e, part, &rest)
	case "document":
		err = d.documentBlock(e, part, &rest)
	case "tool_use":
		err = d.toolUseBlock(e, part, &rest)
	case "tool_result":
		err = d.toolResultBlock(e, part, &rest)
	case "thinking", "redacted_thinking":
		err = thinkingBlock(e, part, &rest)
	}
	if err != nil {
		return nil, err
	}
	if part.Kind == nil {
		part.Kind = &conversationv1.ContentPart_Opaque{Opaque: &conversationv1.OpaquePart{WireType: kind, Json: e.raw()}}
		return part, nil
	}
	part.ExtraJson = rest.object()
	return part, nil
}

func (d *turnDecoder) textBlock(e *value, part *conversationv1.ContentPart, rest *extra) error {
	text := &conversationv1.ContentPart_Text{}
	part.Kind = text
	return e.members(func(name string, m *value) (err error) {
		switch {
		case name == "type", m.isNull():
		case name == "text":
			text.Text, err = m.text()
		default:
			rest.add(m)
		}
		return err
	})
}

func thinkingBlock(e *value, part *conversationv1.ContentPart, rest *extra) error {
	r := &conversationv1.Reasoning{}
	part.Kind = &conversationv1.ContentPart_Reasoning{Reasoning: r}
	return e.members(func(name string, m *value) (err error) {
		switch {
		case name == "type", m.isNull():
		case name == "thinking":
			r.Text, err = m.text()
		case name == "signature":
			r.Signature, err = m.text()
		case name == "data":
			r.Redacted, err = m.text()
		default:
			rest.add(m)
		}
		return err
	})
}

func (d *turnDecoder) toolUseBlock(e *value, part *conversationv1.ContentPart, rest *extra) error {
	call := &conversationv1.ToolCall{}
	part.Kind = &conversationv1.ContentPart_ToolCall{ToolCall: call}
	err := e.members(func(name string, m *value) (err error) {
		switch {
		case name == "type", m.isNull():
		case name == "id":
			call.Id, err = m.text()
		case name == "name":
			call.Name, err = m.text()
		case name == "input" && m.Kind == jsonscan.String:
			call.ArgumentsJson, err = m.text()
		case name == "input":
			call.ArgumentsJson = m.raw()
		default:
			rest.add(m)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case call.Id == "":
		return malformed(e.path()+".id", "a tool call needs an id")
	case call.Name == "":
		return malformed(e.path()+".name", "a tool call needs a name")
	case call.ArgumentsJson == "":
		call.ArgumentsJson = "{}"
	}
	d.tools[call.Id] = call.Name
	return nil
}

func (d *turnDecoder) toolResultBlock(e *value, part *conversationv1.ContentPart, rest *extra) error {
	result := &conversationv1.ToolResult{}
	part.Kind = &conversationv1.ContentPart_ToolResult{ToolResult: result}
	err := e.members(func(name string, m *value) (err error) {
		switch {
		case name == "type", m.isNull():
		case name == "tool_use_id":
			result.ToolCallId, err = m.text()
		case name == "content":
			result.Parts, err = d.content(m)
		case name == "is_error":
			result.IsError, err = m.truth()
		default:
			rest.add(m)
		}
		return err
	})
	if err == nil && result.ToolCallId == "" {
		err = malformed(e.path()+".tool_use_id", "a tool result needs the id of its call")
	}
	result.ToolName = d.tools[result.ToolCallId]
	return err
}
