package anthropic

import (
	"strconv"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/signer"
)

// merged is a message of the API: one or more of the turn's, of one role.
type merged struct {
	role    string
	results []string // blocks of tool results, which have to stand first
	blocks  []string
}

// messages writes the members system and messages.
func (e *turnEncoder) messages() {
	var system []string
	var list []*merged
	for _, m := range e.turn.GetMessages() {
		if m.GetName() != "" {
			e.drop(dropped.Name)
		}
		e.dropped.Extra(dropped.AtMessage, m.GetExtraJson())
		if m.GetRole() == conversationv1.Role_ROLE_SYSTEM {
			system = append(system, e.systemBlocks(m)...)
			continue
		}
		role := "user"
		if m.GetRole() == conversationv1.Role_ROLE_ASSISTANT {
			role = "assistant"
		}
		into := &merged{role: role}
		if n := len(list); n > 0 && list[n-1].role == role {
			into = list[n-1]
		}
		before := len(into.results) + len(into.blocks)
		for _, part := range m.GetParts() {
			e.part(into, part)
		}
		if before == 0 && len(into.results)+len(into.blocks) > 0 {
			list = append(list, into)
		}
	}
	if len(system) > 0 {
		e.w.Key("system")
		e.blocks(system)
	}
	e.w.Key("messages")
	e.w.Open('[')
	for _, m := range list {
		e.w.Open('{')
		e.w.StrField("role", m.role)
		e.w.Key("content")
		e.blocks(append(m.results, m.blocks...))
		e.w.Close('}')
	}
	e.w.Close(']')
}

const plainText = `{"type":"text","text":`

// blocks writes content: one plain text as a string, else a list.
func (e *turnEncoder) blocks(list []string) {
	if len(list) == 1 {
		if rest, ok := strings.CutPrefix(list[0], plainText); ok {
			// A block of nothing but a text ends with the text's quote and a brace.
			if text := strings.TrimSuffix(rest, "}"); onlyString(text) {
				e.w.Raw(text)
				return
			}
		}
	}
	e.w.Open('[')
	for _, block := range list {
		e.w.Raw(block)
	}
	e.w.Close(']')
}

// onlyString tells whether JSON is one string: no quote ends it earlier.
func onlyString(json string) bool {
	for i := 1; i < len(json); i++ {
		switch json[i] {
		case '\\':
			i++
		case '"':
			return i == len(json)-1
		}
	}
	return false
}

func (e *turnEncoder) systemBlocks(m *conversationv1.Message) []string {
	into := &merged{}
	for _, part := range m.GetParts() {
		switch part.GetKind().(type) {
		case *conversationv1.ContentPart_Text:
			e.part(into, part)
		case *conversationv1.ContentPart_Image:
			e.drop(dropped.Image)
		case *conversationv1.ContentPart_Opaque:
			e.dropped.Below(dropped.AtPart, part.GetOpaque().GetWireType())
		default:
			e.drop(dropped.File)
		}
	}
	return into.blocks
}

// part encodes a part as a block of the message.
func (e *turnEncoder) part(into *merged, part *conversationv1.ContentPart) {
	b := &writer{}
	b.Open('{')
	ok := false
	switch kind := part.GetKind().(type) {
	case *conversationv1.ContentPart_Text:
		ok = e.text(b, kind.Text)
	case *conversationv1.ContentPart_Refusal:
		ok = e.text(b, kind.Refusal)
	case *conversationv1.ContentPart_Image:
		ok = e.image(b, kind.Image)
	case *conversationv1.ContentPart_File:
		ok = e.file(b, kind.File)
	case *conversationv1.ContentPart_Audio:
		e.drop(dropped.Audio)
	case *conversationv1.ContentPart_Reasoning:
		ok = e.reasoning(b, kind.Reasoning)
	case *conversationv1.ContentPart_ToolCall:
		ok = e.toolCall(b, kind.ToolCall)
	case *conversationv1.ContentPart_ToolResult:
		e.toolResult(b, kind.ToolResult)
		e.extra(b, dropped.AtPart, part.GetExtraJson())
		b.Close('}')
		into.results = append(into.results, string(b.B))
		return
	case *conversationv1.ContentPart_Opaque:
		if e.ours() && jsonObject(kind.Opaque.GetJson()) {
			into.blocks = append(into.blocks, kind.Opaque.GetJson())
		} else {
			e.dropped.Below(dropped.AtPart, kind.Opaque.GetWireType())
		}
		return
	}
	if !ok {
		return
	}
	e.extra(b, dropped.AtPart, part.GetExtraJson())
	b.Close('}')
	into.blocks = append(into.blocks, string(b.B))
}

// extra writes the members of a block that no field holds. Clients of other
// dialects mark what to cache for this one, too.
func (e *turnEncoder) extra(b *writer, place dropped.Place, object string) {
	b.Extra(object, func(name string) bool {
		if e.ours() || name == "cache_control" {
			return false
		}
		e.dropped.Below(place, name)
		return true
	})
}

// text writes a text; the API refuses blank ones.
func (e *turnEncoder) text(b *writer, text string) bool {
	if strings.TrimSpace(text) == "" {
		return false
	}
	b.StrField("type", "text")
	b.StrField("text", text)
	return true
}

func (e *turnEncoder) reasoning(b *writer, r *conversationv1.Reasoning) bool {
	switch {
	case r.GetRedacted() != "":
		b.StrField("type", "redacted_thinking")
		b.StrField("data", r.GetRedacted())
	case signer.Anthropic(r.GetSignature()) != "":
		b.StrField("type", "thinking")
		b.StrField("thinking", r.GetText())
		b.StrField("signature", r.GetSignature())
	default:
		e.drop(dropped.Reasoning)
		return false
	}
	return true
}

// openCall is a tool call without a result yet.
type openCall struct{ given, id, name string }

func (e *turnEncoder) toolCall(b *writer, call *conversationv1.ToolCall) bool {
	arguments, ok := argumentsObject(call.GetArgumentsJson())
	if !ok {
		e.drop(dropped.Arguments)
	}
	id := toolID(call.GetId())
	if id == "" {
		id = "toolu_" + strconv.Itoa(e.calls)
	}
	e.calls++
	e.open = append(e.open, openCall{call.GetId(), id, call.GetName()})
	b.StrField("type", "tool_use")
	b.StrField("id", id)
	b.StrField("name", call.GetName())
	b.RawField("input", arguments)
	return true
}

// resultID is the id of the call that a result answers: by the result's own id,
// else the oldest call of its tool without an id.
func (e *turnEncoder) resultID(result *conversationv1.ToolResult) string {
	for i, open := range e.open {
		if open.given == result.GetToolCallId() && (open.given != "" || result.GetToolName() == "" || result.GetToolName() == open.name) {
			e.open = append(e.open[:i], e.open[i+1:]...)
			return open.id
		}
	}
	return toolID(result.GetToolCallId())
}

func (e *turnEncoder) toolResult(b *writer, result *conversationv1.ToolResult) {
	inner := &merged{}
	for _, part := range result.GetParts() {
		e.part(inner, part)
	}
	b.StrField("type", "tool_result")
	b.StrField("tool_use_id", e.resultID(result))
	if len(inner.blocks) > 0 {
		b.Key("content")
		sub := turnEncoder{}
		sub.blocks(inner.blocks)
		b.Raw(string(sub.w.B))
	}
	if result.GetIsError() {
		b.RawField("is_error", "true")
	}
}

// toolID holds an id to the letters that the API takes.
func toolID(id string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == '-':
			return r
		}
		return '_'
	}, id)
}
