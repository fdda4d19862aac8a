package responses

import (
	"slices"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/signer"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
)

var noKeys = jsonscan.NewKeys()

// checked writes JSON that the typed turn brings, which must be one object.
func (e *turnEncoder) checked(field, json string) error {
	if _, err := jsonscan.Scan([]byte(json), noKeys, nil); err != nil {
		return fault.InvalidField("turn."+field, "is not a JSON object").WithCause(err)
	}
	e.Raw(json)
	return nil
}

// forEachExtra calls fn with the members of extra_json, in order.
func forEachExtra(json string, fn func(name, value string)) {
	if json == "" {
		return
	}
	body := []byte(json)
	if _, err := jsonscan.Scan(body, noKeys, nil); err != nil {
		return // What is no object has no members.
	}
	// The scan has shown that nothing can fail.
	_ = jsonscan.ForEachMember(body, jsonscan.Span{End: len(body)}, func(m jsonscan.Member) bool {
		fn(string(m.AppendName(nil, body)), string(m.Raw(body)))
		return true
	})
}

// extra writes the members of extra_json into the open object where they are of
// this dialect, else names them as dropped at their place.
func (e *turnEncoder) extra(place dropped.Place, json string, skip ...string) {
	forEachExtra(json, func(name, value string) {
		switch {
		case slices.Contains(skip, name):
		case e.client == own:
			e.RawField(name, value)
		default:
			e.dropped.Below(place, name)
		}
	})
}

func (e *turnEncoder) message(path string, m *conversationv1.Message) error {
	if m.GetName() != "" {
		e.drop(dropped.Name)
	}
	switch m.GetRole() {
	case conversationv1.Role_ROLE_ASSISTANT:
		return e.assistant(path, m)
	case conversationv1.Role_ROLE_TOOL:
		return e.results(path, m)
	case conversationv1.Role_ROLE_SYSTEM, conversationv1.Role_ROLE_USER:
	default:
		return fault.InvalidField("turn."+path+".role", "is not set")
	}
	if e.client == own && m.GetWireRole() == roleItem && len(m.GetParts()) == 1 && m.GetParts()[0].GetOpaque() != nil {
		return e.checked(path+".parts[0].opaque.json", m.GetParts()[0].GetOpaque().GetJson())
	}
	role := "user"
	if m.GetRole() == conversationv1.Role_ROLE_SYSTEM {
		role = "system"
		if m.GetWireRole() == "developer" || m.GetWireRole() == RoleInstructions {
			role = "developer"
		}
	}
	e.Open('{')
	e.StrField("type", "message")
	e.StrField("role", role)
	e.Key("content")
	if err := e.inputContent(m.GetParts()); err != nil {
		return err
	}
	e.extra(dropped.AtMessage, m.GetExtraJson())
	e.Close('}')
	return nil
}

// inputContent writes text as a string where it is all, else an array of parts.
// One that the dialect cannot carry is left out and named.
func (e *turnEncoder) inputContent(parts []*conversationv1.ContentPart) error {
	if len(parts) == 1 && parts[0].GetExtraJson() == "" {
		if text, ok := parts[0].GetKind().(*conversationv1.ContentPart_Text); ok {
			e.Str(text.Text)
			return nil
		}
	}
	e.Open('[')
	for _, part := range parts {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_Opaque:
			if e.client != own {
				e.dropped.Below(dropped.AtPart, kind.Opaque.GetWireType())
				continue
			}
			if err := e.checked("messages[].parts[].opaque.json", kind.Opaque.GetJson()); err != nil {
				return err
			}
			continue
		case *conversationv1.ContentPart_Refusal:
			e.Open('{')
			e.StrField("type", "input_text")
			e.StrField("text", kind.Refusal)
		case *conversationv1.ContentPart_ToolCall, *conversationv1.ContentPart_ToolResult, *conversationv1.ContentPart_Reasoning, nil:
			return fault.InvalidField("turn.messages[].parts[]", "is empty or of a kind that cannot stand here")
		default:
			e.inputPart(part)
		}
		e.extra(dropped.AtPart, part.GetExtraJson())
		e.Close('}')
	}
	e.Close(']')
	return nil
}

// assistant writes the items of a message: runs of text are one message.
func (e *turnEncoder) assistant(path string, m *conversationv1.Message) error {
	parts := m.GetParts()
	for i := 0; i < len(parts); {
		n := 0
		for i+n < len(parts) && spoken(parts[i+n]) {
			n++
		}
		if n > 0 {
			if err := e.said(m, parts[i:i+n]); err != nil {
				return err
			}
			i += n
			continue
		}
		if err := e.made(path, parts[i]); err != nil {
			return err
		}
		i++
	}
	return nil
}

// spoken says whether a part stands in the content of a message.
func spoken(part *conversationv1.ContentPart) bool {
	switch kind := part.GetKind().(type) {
	case *conversationv1.ContentPart_Text, *conversationv1.ContentPart_Refusal:
		return true
	case *conversationv1.ContentPart_Opaque:
		return strings.HasPrefix(kind.Opaque.GetWireType(), "output_")
	}
	return false
}

func (e *turnEncoder) said(m *conversationv1.Message, parts []*conversationv1.ContentPart) error {
	e.Open('{')
	e.StrField("type", "message")
	e.StrField("role", "assistant")
	e.Key("content")
	e.Open('[')
	for _, part := range parts {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_Opaque:
			if e.client != own {
				e.dropped.Below(dropped.AtPart, kind.Opaque.GetWireType())
				continue
			}
			if err := e.checked("messages[].parts[].opaque.json", kind.Opaque.GetJson()); err != nil {
				return err
			}
			continue
		case *conversationv1.ContentPart_Refusal:
			e.Open('{')
			e.StrField("type", "refusal")
			e.StrField("refusal", kind.Refusal)
		default:
			e.Open('{')
			e.StrField("type", "output_text")
			e.StrField("text", part.GetText())
		}
		e.extra(dropped.AtPart, part.GetExtraJson())
		e.Close('}')
	}
	e.Close(']')
	e.extra(dropped.AtMessage, m.GetExtraJson())
	e.Close('}')
	return nil
}

// made writes a part that is an item of its own.
func (e *turnEncoder) made(path string, part *conversationv1.ContentPart) error {
	switch kind := part.GetKind().(type) {
	case *conversationv1.ContentPart_ToolCall:
		e.toolCall(part, kind.ToolCall)
	case *conversationv1.ContentPart_Reasoning:
		e.thought(kind.Reasoning)
	case *conversationv1.ContentPart_Opaque:
		if e.client != own {
			e.dropped.Below(dropped.AtPart, kind.Opaque.GetWireType())
			return nil
		}
		return e.checked(path+".parts[].opaque.json", kind.Opaque.GetJson())
	case *conversationv1.ContentPart_Audio:
		e.drop(dropped.Audio)
	case *conversationv1.ContentPart_Image, *conversationv1.ContentPart_File:
		e.drop(dropped.Image)
	default:
		return fault.InvalidField("turn."+path+".parts", "holds a part that cannot stand in the assistant's message")
	}
	return nil
}

func (e *turnEncoder) toolCall(part *conversationv1.ContentPart, call *conversationv1.ToolCall) {
	kind, key, arguments := "function_call", "arguments", call.GetArgumentsJson()
	if call.GetWireType() == texttool.WireType || e.texts[call.GetName()] {
		kind, key, arguments = "custom_tool_call", "input", texttool.Unwrap(arguments)
		e.custom[call.GetId()] = true
	}
	e.Open('{')
	e.StrField("type", kind)
	e.StrField("call_id", call.GetId())
	e.StrField("name", call.GetName())
	e.StrField(key, arguments)
	e.extra(dropped.AtCall, part.GetExtraJson())
	e.Close('}')
}

// thought writes a block that the provider can take back.
func (e *turnEncoder) thought(r *conversationv1.Reasoning) {
	signature := signer.OpenAI.Own(r.GetSignature())
	if signature == "" {
		e.drop(dropped.Reasoning)
		return
	}
	e.Open('{')
	e.StrField("type", "reasoning")
	if r.GetId() != "" {
		e.StrField("id", r.GetId())
	}
	e.Key("summary")
	e.Open('[')
	if r.GetText() != "" {
		e.summary(r.GetText())
	}
	e.Close(']')
	e.StrField("encrypted_content", signature)
	e.Close('}')
}

// results writes an item for each result.
func (e *turnEncoder) results(path string, m *conversationv1.Message) error {
	for _, part := range m.GetParts() {
		result := part.GetToolResult()
		if result == nil {
			return fault.InvalidField("turn."+path+".parts", "a tool message holds tool results alone")
		}
		if result.GetIsError() {
			e.drop(dropped.IsError)
		}
		kind := "function_call_output"
		if e.custom[result.GetToolCallId()] {
			kind = "custom_tool_call_output"
		}
		e.Open('{')
		e.StrField("type", kind)
		e.StrField("call_id", result.GetToolCallId())
		e.Key("output")
		if len(result.GetParts()) == 0 {
			e.Str("")
		} else if err := e.inputContent(result.GetParts()); err != nil {
			return err
		}
		e.extra(dropped.AtMessage, m.GetExtraJson())
		e.extra(dropped.AtPart, part.GetExtraJson())
		e.Close('}')
	}
	return nil
}
