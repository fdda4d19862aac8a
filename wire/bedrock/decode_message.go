package bedrock

import (
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
			parts, err = d.blocks(m)
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
		return jsonbody.Malformed(e.Path()+".role", "must be user or assistant")
	}
	d.turn.Messages[len(d.turn.Messages)-1].ExtraJson = rest.Object()
	return nil
}

func (d *turnDecoder) blocks(m *jsonbody.Value) ([]*conversationv1.ContentPart, error) {
	var parts []*conversationv1.ContentPart
	err := m.Elements(func(_ int, e *jsonbody.Value) error {
		part, err := d.block(e)
		parts = append(parts, part)
		return err
	})
	return parts, err
}

// block decodes one block of content. What of it no field holds stays in a
// member of its kind in extra_json.
func (d *turnDecoder) block(e *jsonbody.Value) (*conversationv1.ContentPart, error) {
	kind, content, err := union(e)
	if err != nil {
		return nil, err
	}
	part := &conversationv1.ContentPart{}
	var rest jsonbody.Extra
	switch kind {
	case "text":
		text, failed := content.String()
		part.Kind, err = &conversationv1.ContentPart_Text{Text: text}, failed
	case "image", "document":
		err = media(kind, content, part, &rest)
	case "toolUse":
		err = d.toolUse(content, part, &rest)
	case "toolResult":
		err = d.toolResult(content, part, &rest)
	case "reasoningContent":
		err = reasoningContent(content, part)
	}
	if err != nil {
		return nil, err
	}
	if part.Kind == nil {
		part.Kind = &conversationv1.ContentPart_Opaque{Opaque: &conversationv1.OpaquePart{WireType: kind, Json: e.JSON()}}
		return part, nil
	}
	var extra jsonbody.Extra
	extra.AddInner(kind, &rest)
	part.ExtraJson = extra.Object()
	return part, nil
}

func (d *turnDecoder) toolUse(m *jsonbody.Value, part *conversationv1.ContentPart, rest *jsonbody.Extra) error {
	call := &conversationv1.ToolCall{ArgumentsJson: "{}"}
	part.Kind = &conversationv1.ContentPart_ToolCall{ToolCall: call}
	err := m.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "toolUseId":
			call.Id, err = m.String()
		case name == "name":
			call.Name, err = m.String()
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
		return jsonbody.Malformed(m.Path()+".toolUseId", "a tool call needs an id")
	case call.Name == "":
		return jsonbody.Malformed(m.Path()+".name", "a tool call needs a name")
	}
	d.tools[call.Id] = call.Name
	return nil
}

func (d *turnDecoder) toolResult(m *jsonbody.Value, part *conversationv1.ContentPart, rest *jsonbody.Extra) error {
	result := &conversationv1.ToolResult{}
	part.Kind = &conversationv1.ContentPart_ToolResult{ToolResult: result}
	err := m.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "toolUseId":
			result.ToolCallId, err = m.String()
		case name == "content":
			err = m.Elements(func(_ int, e *jsonbody.Value) error {
				part, err := d.resultBlock(e)
				result.Parts = append(result.Parts, part)
				return err
			})
		case name == "status":
			var status string
			status, err = m.String()
			result.IsError = status == "error"
		default:
			rest.Add(m)
		}
		return err
	})
	if err == nil && result.ToolCallId == "" {
		err = jsonbody.Malformed(m.Path()+".toolUseId", "a tool result needs the id of its call")
	}
	result.ToolName = d.tools[result.ToolCallId]
	return err
}

// resultBlock decodes a block of a result: JSON is a text that holds it.
func (d *turnDecoder) resultBlock(e *jsonbody.Value) (*conversationv1.ContentPart, error) {
	kind, content, err := union(e)
	if err != nil {
		return nil, err
	}
	if kind == "json" {
		return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Text{Text: content.JSON()}}, nil
	}
	return d.block(e)
}

func reasoningContent(m *jsonbody.Value, part *conversationv1.ContentPart) error {
	kind, content, err := union(m)
	if err != nil {
		return err
	}
	r := &conversationv1.Reasoning{}
	switch kind {
	case "redactedContent":
		r.Redacted, err = content.String()
	case "reasoningText":
		err = content.Members(func(name string, m *jsonbody.Value) (err error) {
			switch {
			case m.Kind == jsonscan.Null:
			case name == "text":
				r.Text, err = m.String()
			case name == "signature":
				r.Signature, err = m.String()
			}
			return err
		})
	default:
		return nil
	}
	part.Kind = &conversationv1.ContentPart_Reasoning{Reasoning: r}
	return err
}
