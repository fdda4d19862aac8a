package openai

import (
	"encoding/base64"
	"strconv"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
)

// toolImages are pictures that a tool gave. The dialect takes none in the
// message of a tool, so they follow in one of the user.
type toolImages struct {
	callID string
	parts  []*conversationv1.ContentPart
}

func messagePath(index int) string { return "turn.messages[" + strconv.Itoa(index) + "]" }

func (e *turnEncoder) message(index int, m *conversationv1.Message) error {
	if m.GetRole() == conversationv1.Role_ROLE_TOOL {
		return e.results(index, m)
	}
	e.toolImages()
	e.Open('{')
	switch m.GetRole() {
	case conversationv1.Role_ROLE_SYSTEM:
		role := "system"
		if m.GetWireRole() == "developer" && !e.quirk(quirkNoDeveloperRole) {
			role = m.GetWireRole()
		}
		e.StrField("role", role)
	case conversationv1.Role_ROLE_USER:
		e.StrField("role", "user")
	case conversationv1.Role_ROLE_ASSISTANT:
		e.StrField("role", "assistant")
	default:
		return fault.InvalidField(messagePath(index)+".role", "is not set")
	}
	if m.GetName() != "" {
		e.StrField("name", m.GetName())
	}
	if err := e.parts(index, m); err != nil {
		return err
	}
	e.extra(dropped.AtMessage, m.GetExtraJson())
	e.Close('}')
	return nil
}

// parts writes the parts of a message by their kinds.
func (e *turnEncoder) parts(index int, m *conversationv1.Message) error {
	var content, calls []*conversationv1.ContentPart
	var thoughts []*conversationv1.Reasoning
	refusal, audio := (*conversationv1.ContentPart)(nil), (*conversationv1.ContentPart)(nil)
	assistant := m.GetRole() == conversationv1.Role_ROLE_ASSISTANT
	for _, part := range m.GetParts() {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_ToolCall:
			calls = append(calls, part)
		case *conversationv1.ContentPart_ToolResult:
			return fault.InvalidField(messagePath(index)+".parts", "holds a tool result outside of a tool message")
		case *conversationv1.ContentPart_Reasoning:
			thoughts = append(thoughts, kind.Reasoning)
		case *conversationv1.ContentPart_Refusal:
			if assistant && refusal == nil && part.GetExtraJson() == "" {
				refusal = part
				continue
			}
			content = append(content, part)
		case *conversationv1.ContentPart_Audio:
			if assistant && kind.Audio.GetId() != "" {
				audio = part
				continue
			}
			content = append(content, part)
		default:
			content = append(content, part)
		}
	}
	if err := e.content(m.GetRole(), content, len(calls) > 0 || refusal != nil || audio != nil); err != nil {
		return err
	}
	if refusal != nil {
		e.StrField("refusal", refusal.GetRefusal())
	}
	if audio != nil {
		if err := e.earlierAudio(audio); err != nil {
			return err
		}
	}
	e.thoughts(thoughts)
	return e.calls(calls)
}

func (e *turnEncoder) earlierAudio(part *conversationv1.ContentPart) error {
	e.Key("audio")
	e.Open('{')
	e.StrField("id", part.GetAudio().GetId())
	after, err := e.nested("messages[]", dropped.AtMessage, part.GetExtraJson(), "audio")
	e.Close('}')
	e.extra(dropped.AtMessage, after)
	return err
}

// content writes text as a string where it is plain, else an array of parts.
// mayLack says that other members speak for the message.
func (e *turnEncoder) content(role conversationv1.Role, parts []*conversationv1.ContentPart, mayLack bool) error {
	plain := true
	for _, part := range parts {
		_, text := part.GetKind().(*conversationv1.ContentPart_Text)
		plain = plain && text && (part.GetExtraJson() == "" || e.client != own || e.quirk(quirkStringContent))
	}
	several := len(parts) > 1 && !e.quirk(quirkStringContent) && (role == conversationv1.Role_ROLE_USER || e.client == own)
	switch {
	case len(parts) == 0 && mayLack:
		e.RawField("content", "null")
		return nil
	case plain && !several:
		if len(parts) == 1 {
			e.dropExtra(parts[0])
			e.StrField("content", parts[0].GetText())
			return nil
		}
		texts := make([]string, len(parts))
		for i, part := range parts {
			texts[i] = part.GetText()
			e.dropExtra(part)
		}
		e.StrField("content", strings.Join(texts, "\n"))
		return nil
	}
	e.Key("content")
	e.Open('[')
	for _, part := range parts {
		if err := e.part(part); err != nil {
			return err
		}
	}
	e.Close(']')
	return nil
}

// dropExtra names the extra members of a part that becomes plain text.
func (e *turnEncoder) dropExtra(part *conversationv1.ContentPart) {
	forEachExtra(part.GetExtraJson(), func(name, _ string) { e.dropped.Below(dropped.AtPart, name) })
}

// thoughts writes the reasoning of the history where the provider is to see it.
func (e *turnEncoder) thoughts(thoughts []*conversationv1.Reasoning) {
	if len(thoughts) == 0 {
		return
	}
	if e.client != own && !e.quirk(quirkReasoningHistory) {
		e.drop(dropped.Reasoning)
		return
	}
	var text strings.Builder
	details := false
	for _, r := range thoughts {
		text.WriteString(r.GetText())
		details = details || r.GetSignature() != "" || r.GetRedacted() != ""
	}
	if text.Len() > 0 {
		e.StrField("reasoning_content", text.String())
	}
	if !details {
		return
	}
	e.Key("reasoning_details")
	e.Open('[')
	for i, r := range thoughts {
		e.B = appendDetail(e.B, r, i)
	}
	e.Close(']')
}

func (e *turnEncoder) calls(parts []*conversationv1.ContentPart) error {
	if len(parts) == 0 {
		return nil
	}
	e.Key("tool_calls")
	e.Open('[')
	for _, part := range parts {
		call := part.GetToolCall()
		kind, member, arguments := "function", "arguments", call.GetArgumentsJson()
		if call.GetWireType() == texttool.WireType && e.client == own || e.texts(call.GetName()) {
			kind, member, arguments = texttool.WireType, "input", texttool.Unwrap(arguments)
		}
		e.Open('{')
		e.StrField("id", call.GetId())
		e.StrField("type", kind)
		e.Key(kind)
		e.Open('{')
		e.StrField("name", call.GetName())
		e.StrField(member, arguments)
		after, err := e.nested("messages[].tool_calls[]", dropped.AtCall, part.GetExtraJson(), kind)
		if err != nil {
			return err
		}
		e.Close('}')
		e.extra(dropped.AtCall, after)
		e.Close('}')
	}
	e.Close(']')
	return nil
}

// results writes a message of its own for each result.
func (e *turnEncoder) results(index int, m *conversationv1.Message) error {
	for _, part := range m.GetParts() {
		result := part.GetToolResult()
		if result == nil {
			return fault.InvalidField(messagePath(index)+".parts", "a tool message holds tool results alone")
		}
		var content, images []*conversationv1.ContentPart
		for _, inner := range result.GetParts() {
			if inner.GetImage() != nil {
				images = append(images, inner)
			} else {
				content = append(content, inner)
			}
		}
		if result.GetIsError() {
			e.drop(dropped.IsError)
		}
		e.Open('{')
		e.StrField("role", "tool")
		e.StrField("tool_call_id", result.GetToolCallId())
		if err := e.content(conversationv1.Role_ROLE_TOOL, content, false); err != nil {
			return err
		}
		e.extra(dropped.AtMessage, m.GetExtraJson())
		e.extra(dropped.AtPart, part.GetExtraJson())
		e.Close('}')
		if len(images) > 0 {
			e.images = append(e.images, toolImages{callID: result.GetToolCallId(), parts: images})
		}
	}
	return nil
}

// toolImages writes the pictures that wait.
func (e *turnEncoder) toolImages() {
	if len(e.images) == 0 {
		return
	}
	e.Open('{')
	e.StrField("role", "user")
	e.Key("content")
	e.Open('[')
	for _, images := range e.images {
		e.Open('{')
		e.StrField("type", "text")
		e.StrField("text", "Result of tool call "+images.callID+":")
		e.Close('}')
		for _, part := range images.parts {
			e.image(part)
		}
	}
	e.Close(']')
	e.Close('}')
	e.images = nil
}

// dataURL makes a data: URL.
func dataURL(mediaType string, data []byte) string {
	return "data:" + mediaType + ";base64," + base64.StdEncoding.EncodeToString(data)
}
