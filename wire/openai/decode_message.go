package openai

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
)

// messageDecoder holds the members of one message until its role is known.
type messageDecoder struct {
	at                  *jsonbody.Value
	role, name          string
	toolCallID          string
	content, refusal    *jsonbody.Value
	reasoning           *jsonbody.Value
	details             *jsonbody.Value
	toolCalls, function *jsonbody.Value
	audio               *jsonbody.Value
	rest                jsonbody.Extra
}

func decodeMessage(e *jsonbody.Value) (*conversationv1.Message, error) {
	d := messageDecoder{at: e}
	if err := e.Members(d.member); err != nil {
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
		return nil, jsonbody.Malformed(e.Path()+".role", "is required")
	default:
		return nil, fault.InvalidField(e.Path()+".role", "want system, developer, user, assistant, tool or function")
	}
	if err := d.parts(out); err != nil {
		return nil, err
	}
	out.ExtraJson = d.rest.Object()
	return out, nil
}

func (d *messageDecoder) member(name string, m *jsonbody.Value) (err error) {
	if m.IsNull() {
		switch name {
		case "role", "content", "refusal", "reasoning_content", "reasoning", "tool_calls", "function_call", "tool_call_id", "name", "audio":
		default:
			d.rest.Add(m)
		}
		return nil
	}
	switch name {
	case "role":
		d.role, err = m.String()
	case "name":
		d.name, err = m.String()
	case "tool_call_id":
		d.toolCallID, err = m.String()
	case "content":
		d.content = m
	case "refusal":
		d.refusal = m
	case "reasoning_content":
		d.reasoning = m
	case "reasoning":
		if m.Kind != jsonscan.String {
			d.rest.Add(m)
		} else if d.reasoning == nil {
			d.reasoning = m
		}
	case "reasoning_details", "thinking_blocks":
		if d.details == nil && knownBlocks(m) {
			d.details = m
		} else {
			d.rest.Add(m)
		}
	case "tool_calls":
		d.toolCalls = m
	case "function_call":
		d.function = m
	case "audio":
		d.audio = m
	default:
		d.rest.Add(m)
	}
	return err
}

func (d *messageDecoder) parts(out *conversationv1.Message) error {
	if out.Role == conversationv1.Role_ROLE_TOOL {
		return d.result(out)
	}
	out.Name = d.name
	if out.Role != conversationv1.Role_ROLE_ASSISTANT {
		for _, m := range [...]*jsonbody.Value{d.refusal, d.toolCalls, d.function} {
			if m != nil {
				return jsonbody.Unsupported(m.Path(), "belongs to assistant messages")
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
		text, err := d.refusal.String()
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
		if text, err = d.reasoning.String(); err != nil {
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
		err := d.toolCalls.Elements(func(_ int, e *jsonbody.Value) error {
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
	var inner, outer jsonbody.Extra
	if err := decodeCalled(d.function, call, &inner); err != nil {
		return err
	}
	outer.AddInner("function", &inner)
	out.Parts = append(out.Parts, &conversationv1.ContentPart{
		Kind: &conversationv1.ContentPart_ToolCall{ToolCall: call}, ExtraJson: outer.Object(),
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

func decodeToolCall(e *jsonbody.Value) (*conversationv1.ContentPart, error) {
	call := &conversationv1.ToolCall{}
	kind := "function"
	var function, custom *jsonbody.Value
	var outer, inner jsonbody.Extra
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch name {
		case "id":
			call.Id, err = m.StringOrNull()
		case "type":
			if !m.IsNull() {
				kind, err = m.String()
			}
		case "index": // a client that sends back what it streamed
		case "function":
			function = m
		case "custom":
			custom = m
		default:
			outer.Add(m)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	switch {
	case kind == "custom" && custom != nil:
		call.WireType = kind
		err = custom.Members(func(name string, m *jsonbody.Value) (err error) {
			switch name {
			case "name":
				call.Name, err = m.String()
			case "input":
				call.ArgumentsJson, err = m.String()
				call.ArgumentsJson = texttool.Wrap(call.ArgumentsJson)
			default:
				inner.Add(m)
			}
			return err
		})
		outer.AddInner("custom", &inner)
	case function != nil:
		err = decodeCalled(function, call, &inner)
		outer.AddInner("function", &inner)
	default:
		return nil, jsonbody.Malformed(e.Path()+".function", "is required")
	}
	if err != nil {
		return nil, err
	}
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_ToolCall{ToolCall: call}, ExtraJson: outer.Object()}, nil
}

func decodeCalled(e *jsonbody.Value, call *conversationv1.ToolCall, inner *jsonbody.Extra) error {
	return e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch name {
		case "name":
			call.Name, err = m.String()
		case "arguments":
			switch m.Kind {
			case jsonscan.Object: // as Ollama's clients write it
				call.ArgumentsJson = m.JSON()
			case jsonscan.Null:
			default:
				call.ArgumentsJson, err = m.String()
			}
		default:
			inner.Add(m)
		}
		return err
	})
}
