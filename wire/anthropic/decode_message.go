package anthropic

import (
	"slices"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// message decodes one message. A user's with tool results becomes two.
func (d *turnDecoder) message(e *jsonbody.Value) error {
	role := ""
	var parts []*conversationv1.ContentPart
	var rest jsonbody.Extra
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "role":
			role, err = m.String()
		case name == "content":
			parts, err = d.content(m)
		default:
			rest.Add(m)
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
		results, others := apart(parts)
		if len(results) > 0 {
			add(conversationv1.Role_ROLE_TOOL, results)
		}
		if len(others) > 0 || len(results) == 0 {
			add(conversationv1.Role_ROLE_USER, others)
		}
	default:
		return jsonbody.Malformed(e.Path()+".role", "must be user or assistant")
	}
	d.turn.Messages[len(d.turn.Messages)-1].ExtraJson = rest.Object()
	return nil
}

// apart are the tool results among parts, and the others.
func apart(parts []*conversationv1.ContentPart) (results, others []*conversationv1.ContentPart) {
	if !slices.ContainsFunc(parts, func(part *conversationv1.ContentPart) bool { return part.GetToolResult() != nil }) {
		return nil, parts
	}
	for _, part := range parts {
		if part.GetToolResult() != nil {
			results = append(results, part)
		} else {
			others = append(others, part)
		}
	}
	return results, others
}

// content decodes a text or a list of blocks.
func (d *turnDecoder) content(m *jsonbody.Value) ([]*conversationv1.ContentPart, error) {
	if m.Kind == jsonscan.String {
		text, err := m.String()
		if text == "" {
			return nil, err
		}
		return []*conversationv1.ContentPart{textPart(text)}, err
	}
	if m.Kind != jsonscan.Array {
		return nil, m.Malformed("a string or a list of blocks")
	}
	var parts []*conversationv1.ContentPart
	err := m.Elements(func(_ int, e *jsonbody.Value) error {
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
func (d *turnDecoder) block(e *jsonbody.Value) (*conversationv1.ContentPart, error) {
	if e.Kind != jsonscan.Object {
		return nil, e.Malformed("a block")
	}
	var room [1]jsonscan.Member
	at, err := jsonscan.ScanObject(e.Body(), e.Value, blockKeys, room[:0])
	if err != nil {
		return nil, jsonbody.ScanFault(err)
	}
	kind, err := e.Child(at[0]).String()
	if err != nil {
		return nil, jsonbody.Malformed(e.Path()+".type", "a block needs a type")
	}
	part := &conversationv1.ContentPart{}
	var rest jsonbody.Extra
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
		part.Kind = &conversationv1.ContentPart_Opaque{Opaque: &conversationv1.OpaquePart{WireType: kind, Json: e.JSON()}}
		return part, nil
	}
	part.ExtraJson = rest.Object()
	return part, nil
}

func (d *turnDecoder) textBlock(e *jsonbody.Value, part *conversationv1.ContentPart, rest *jsonbody.Extra) error {
	text := &conversationv1.ContentPart_Text{}
	part.Kind = text
	return e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case name == "type", m.IsNull():
		case name == "text":
			text.Text, err = m.String()
		default:
			rest.Add(m)
		}
		return err
	})
}

func thinkingBlock(e *jsonbody.Value, part *conversationv1.ContentPart, rest *jsonbody.Extra) error {
	r := &conversationv1.Reasoning{}
	part.Kind = &conversationv1.ContentPart_Reasoning{Reasoning: r}
	return e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case name == "type", m.IsNull():
		case name == "thinking":
			r.Text, err = m.String()
		case name == "signature":
			r.Signature, err = m.String()
		case name == "data":
			r.Redacted, err = m.String()
		default:
			rest.Add(m)
		}
		return err
	})
}

func (d *turnDecoder) toolUseBlock(e *jsonbody.Value, part *conversationv1.ContentPart, rest *jsonbody.Extra) error {
	call := &conversationv1.ToolCall{}
	part.Kind = &conversationv1.ContentPart_ToolCall{ToolCall: call}
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case name == "type", m.IsNull():
		case name == "id":
			call.Id, err = m.String()
		case name == "name":
			call.Name, err = m.String()
		case name == "input" && m.Kind == jsonscan.String:
			call.ArgumentsJson, err = m.String()
		case name == "input":
			call.ArgumentsJson = m.JSON()
		default:
			rest.Add(m)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case call.Id == "":
		return jsonbody.Malformed(e.Path()+".id", "a tool call needs an id")
	case call.Name == "":
		return jsonbody.Malformed(e.Path()+".name", "a tool call needs a name")
	case call.ArgumentsJson == "":
		call.ArgumentsJson = "{}"
	}
	d.tools[call.Id] = call.Name
	return nil
}

func (d *turnDecoder) toolResultBlock(e *jsonbody.Value, part *conversationv1.ContentPart, rest *jsonbody.Extra) error {
	result := &conversationv1.ToolResult{}
	part.Kind = &conversationv1.ContentPart_ToolResult{ToolResult: result}
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case name == "type", m.IsNull():
		case name == "tool_use_id":
			result.ToolCallId, err = m.String()
		case name == "content":
			result.Parts, err = d.content(m)
		case name == "is_error":
			result.IsError, err = m.Truth()
		default:
			rest.Add(m)
		}
		return err
	})
	if err == nil && result.ToolCallId == "" {
		err = jsonbody.Malformed(e.Path()+".tool_use_id", "a tool result needs the id of its call")
	}
	result.ToolName = d.tools[result.ToolCallId]
	return err
}
