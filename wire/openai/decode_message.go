package openai

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// messageDecoder holds the members of one message until its role is known.
type messageDecoder struct {
	at                  *value
	role, name          string
	toolCallID          string
	content, refusal    *value
	reasoning           *value
	details             *value
	toolCalls, function *value
	audio               *value
	rest                rest
}

func decodeMessage(e *value) (*conversationv1.Message, error) {
	d := messageDecoder{at: e}
	if err := e.members(d.member); err != nil {
		return nil, err
	}
	out := &conversationv1.Message{}
	switch d.role {
	case "system":
		out.Role = conversationv1.Role_ROLE_SYSTEM
	case "developer":
		out.Role, out.WireRole = conversationv1.Role_ROLE_SYSTEM, d.role
	case "user":
		out.Role = conversationv1.Role_ROLE_USER
	case "assistant":
		out.Role = conversationv1.Role_ROLE_ASSISTANT
	case "tool":
		out.Role = conversationv1.Role_ROLE_TOOL
	case "function":
		out.Role = conversationv1.Role_ROLE_TOOL
	case "":
		return nil, malformed(e.path()+".role", "is required")
	default:
		return nil, fault.InvalidField(e.path()+".role", "want system, developer, user, assistant, tool or function")
	}
	if err := d.parts(out); err != nil {
		return nil, err
	}
	out.ExtraJson = d.rest.object()
	return out, nil
}

func (d *messageDecoder) member(name string, m *value) (err error) {
	if m.null() {
		switch name {
		case "role", "content", "refusal", "reasoning_content", "reasoning", "tool_calls", "function_call", "tool_call_id", "name", "audio":
		default:
			d.rest.add(m)
		}
		return nil
	}
	switch name {
	case "role":
		d.role, err = m.text()
	case "name":
		d.name, err = m.text()
	case "tool_call_id":
		d.toolCallID, err = m.text()
	case "content":
		d.content = m
	case "refusal":
		d.refusal = m
	case "reasoning_content":
		d.reasoning = m
	case "reasoning":
		if m.Kind != jsonscan.String {
			d.rest.add(m)
		} else if d.reasoning == nil {
			d.reasoning = m
		}
	case "reasoning_details", "thinking_blocks":
		if d.details == nil && knownBlocks(m) {
			d.details = m
		} else {
			d.rest.add(m)
		}
	case "tool_calls":
		d.toolCalls = m
	case "function_call":
		d.function = m
	case "audio":
		d.audio = m
	default:
		d.rest.add(m)
	}
	return err
}

func (d *messageDecoder) parts(out *conversationv1.Message) error {
	if out.Role == conversationv1.Role_ROLE_TOOL {
		return d.result(out)
	}
	out.Name = d.name
	if out.Role != conversationv1.Role_ROLE_ASSISTANT {
		for _, m := range [...]*value{d.refusal, d.toolCalls, d.function} {
			if m != nil {
				return unsupported(m.path(), "belongs to assistant messages")
			}
		}
	}
	if err := d.thoughts(out); err != nil {
		return err
	}
	if d.content != nil {
		parts, err := decodeContent(d.content, out.Role == conversationv1.Role_ROLE_ASSISTANT)
		if err != nil {
			return err
		}
		out.Parts = append(out.Parts, parts...)
	}
	if d.refusal != nil {
		text, err := d.refusal.text()
		if err != nil {
			return err
		}
		if text != "" {
			out.Parts = append(out.Parts, &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Refusal{Refusal: text}})
		}
	}
	if d.audio != nil {
		part, err := decodeEarlierAudio(d.audio)
		if err != nil {
			return err
		}
		out.Parts = append(out.Parts, part)
	}
	return d.calls(out)
}

func (d *messageDecoder) thoughts(out *conversationv1.Message) error {
	text := ""
	if d.reasoning != nil {
		var err error
		if text, err = d.reasoning.text(); err != nil {
			return err
		}
	}
	if d.details != nil {
		blocks, err := decodeBlocks(d.details, text)
		out.Parts = append(out.Parts, blocks...)
		return err
	}
	if text != "" {
		out.Parts = append(out.Parts, reasoningPart(&conversationv1.Reasoning{Text: text}))
	}
	return nil
}

func (d *messageDecoder) calls(out *conversationv1.Message) error {
	if d.toolCalls != nil {
		err := d.toolCalls.elements(func(_ int, e *value) error {
			part, err := decodeToolCall(e)
			out.Parts = append(out.Parts, part)
			return err
		})
		if err != nil {
			return err
		}
	}
	if d.function == nil {
		return nil
	}
	call := &conversationv1.ToolCall{}
	var inner, outer rest
	if err := decodeCalled(d.function, call, &inner); err != nil {
		return err
	}
	outer.nest("function", inner)
	out.Parts = append(out.Parts, &conversationv1.ContentPart{
		Kind: &conversationv1.ContentPart_ToolCall{ToolCall: call}, ExtraJson: outer.object(),
	})
	return nil
}

// result decodes the message of a tool, or of a legacy function, which is
// joined with its call by name.
func (d *messageDecoder) result(out *conversationv1.Message) error {
	result := &conversationv1.ToolResult{ToolCallId: d.toolCallID, ToolName: d.name}
	if d.content != nil {
		parts, err := decodeContent(d.content, true)
		if err != nil {
			return err
		}
		result.Parts = parts
	}
	out.Parts = []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_ToolResult{ToolResult: result}}}
	return nil
}

func decodeToolCall(e *value) (*conversationv1.ContentPart, error) {
	call := &conversationv1.ToolCall{}
	kind := "function"
	var function, custom *value
	var outer, inner rest
	err := e.members(func(name string, m *value) (err error) {
		switch name {
		case "id":
			call.Id, err = m.textOrNull()
		case "type":
			if !m.null() {
				kind, err = m.text()
			}
		case "index": // a client that sends back what it streamed
		case "function":
			function = m
		case "custom":
			custom = m
		default:
			outer.add(m)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	switch {
	case kind == "custom" && custom != nil:
		call.WireType = kind
		err = custom.members(func(name string, m *value) (err error) {
			switch name {
			case "name":
				call.Name, err = m.text()
			case "input":
				call.ArgumentsJson, err = m.text()
			default:
				inner.add(m)
			}
			return err
		})
		outer.nest("custom", inner)
	case function != nil:
		err = decodeCalled(function, call, &inner)
		outer.nest("function", inner)
	default:
		return nil, malformed(e.path()+".function", "is required")
	}
	if err != nil {
		return nil, err
	}
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_ToolCall{ToolCall: call}, ExtraJson: outer.object()}, nil
}

func decodeCalled(e *value, call *conversationv1.ToolCall, inner *rest) error {
	return e.members(func(name string, m *value) (err error) {
		switch name {
		case "name":
			call.Name, err = m.text()
		case "arguments":
			switch m.Kind {
			case jsonscan.Object: // as Ollama's clients write it
				call.ArgumentsJson = m.json()
			case jsonscan.Null:
			default:
				call.ArgumentsJson, err = m.text()
			}
		default:
			inner.add(m)
		}
		return err
	})
}
