package bedrock

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
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
			e.block(into, part)
		}
		if before == 0 && len(into.results)+len(into.blocks) > 0 {
			list = append(list, into)
		}
	}
	if len(system) > 0 {
		e.w.Key("system")
		e.w.Raws(system)
	}
	e.w.Key("messages")
	e.w.Open('[')
	for _, m := range list {
		e.w.Open('{')
		e.w.StrField("role", m.role)
		e.w.Key("content")
		e.w.Raws(append(m.results, m.blocks...))
		e.w.Close('}')
	}
	e.w.Close(']')
}

func (e *turnEncoder) systemBlocks(m *conversationv1.Message) []string {
	into := &merged{}
	for _, part := range m.GetParts() {
		switch part.GetKind().(type) {
		case *conversationv1.ContentPart_Text, *conversationv1.ContentPart_Opaque:
			e.block(into, part)
		case *conversationv1.ContentPart_Image:
			e.drop(dropped.Image)
		default:
			e.drop(dropped.File)
		}
	}
	return into.blocks
}

// block encodes a part as a block of the message.
func (e *turnEncoder) block(into *merged, part *conversationv1.ContentPart) {
	e.part = part
	b := &jsonbody.Writer{}
	b.Open('{')
	ok, result := false, false
	switch kind := part.GetKind().(type) {
	case *conversationv1.ContentPart_Text:
		ok = text(b, kind.Text)
	case *conversationv1.ContentPart_Refusal:
		ok = text(b, kind.Refusal)
	case *conversationv1.ContentPart_Image:
		ok = e.image(b, kind.Image)
	case *conversationv1.ContentPart_File:
		ok = e.file(b, kind.File)
	case *conversationv1.ContentPart_Audio:
		e.drop(dropped.Audio)
	case *conversationv1.ContentPart_Reasoning:
		ok = e.reasoning(b, kind.Reasoning)
	case *conversationv1.ContentPart_ToolCall:
		e.toolUse(b, kind.ToolCall)
		ok = true
	case *conversationv1.ContentPart_ToolResult:
		e.toolResult(b, part, kind.ToolResult)
		ok, result = true, true
	case *conversationv1.ContentPart_Opaque:
		if e.ours() && jsonbody.IsObject(kind.Opaque.GetJson()) {
			into.blocks = append(into.blocks, kind.Opaque.GetJson())
		} else {
			e.dropped.Below(dropped.AtPart, kind.Opaque.GetWireType())
		}
		return
	}
	if !ok {
		return
	}
	b.Close('}')
	list := &into.blocks
	if result {
		list = &into.results
	}
	*list = append(*list, string(b.B))
	if !e.ours() {
		*list = append(*list, e.foreign(dropped.AtPart, part.GetExtraJson())...)
	}
}

// inner is the member of the part's extra_json that holds what its block has
// beside its fields, or "".
func (e *turnEncoder) inner(member string) (object string) {
	if !e.ours() || e.part.GetExtraJson() == "" {
		return ""
	}
	_ = jsonbody.Whole([]byte(e.part.GetExtraJson())).Members(func(name string, m *jsonbody.Value) error {
		if name == member && m.Kind == jsonscan.Object {
			object = m.JSON()
		}
		return nil
	})
	return object
}

// text writes a text; the API refuses blank ones.
func text(b *jsonbody.Writer, text string) bool {
	b.StrField("text", text)
	return strings.TrimSpace(text) != ""
}

// reasoning writes a block of thoughts that the API knows again.
func (e *turnEncoder) reasoning(b *jsonbody.Writer, r *conversationv1.Reasoning) bool {
	if r.GetRedacted() == "" && signer.Anthropic(r.GetSignature()) == "" && (!e.ours() || r.GetText() == "" || r.GetSignature() != "") {
		e.drop(dropped.Reasoning)
		return false
	}
	writeReasoning(b, r)
	return true
}

// writeReasoning writes the member reasoningContent.
func writeReasoning(b *jsonbody.Writer, r *conversationv1.Reasoning) {
	b.Key("reasoningContent")
	b.Open('{')
	if r.GetRedacted() != "" {
		b.StrField("redactedContent", r.GetRedacted())
	} else {
		b.Key("reasoningText")
		b.Open('{')
		b.StrField("text", r.GetText())
		if r.GetSignature() != "" {
			b.StrField("signature", r.GetSignature())
		}
		b.Close('}')
	}
	b.Close('}')
}

// openCall is a tool call without a result yet.
type openCall struct{ given, id, name string }

func (e *turnEncoder) toolUse(b *jsonbody.Writer, call *conversationv1.ToolCall) {
	e.talks = true
	arguments, ok := argumentsObject(call.GetArgumentsJson())
	if !ok {
		e.drop(dropped.Arguments)
	}
	id := toolID(call.GetId())
	if id == "" {
		id = "tooluse_" + strconv.Itoa(e.calls)
	}
	e.calls++
	e.open = append(e.open, openCall{call.GetId(), id, call.GetName()})
	if !slices.Contains(e.called, call.GetName()) {
		e.called = append(e.called, call.GetName())
	}
	b.Key("toolUse")
	b.Open('{')
	b.StrField("toolUseId", id)
	b.StrField("name", call.GetName())
	b.RawField("input", arguments)
	b.Extra(e.inner("toolUse"), nil)
	b.Close('}')
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

func (e *turnEncoder) toolResult(b *jsonbody.Writer, part *conversationv1.ContentPart, result *conversationv1.ToolResult) {
	e.talks = true
	content := &merged{}
	for _, inner := range result.GetParts() {
		if said := inner.GetText(); e.ours() && jsonbody.IsObject(said) {
			content.blocks = append(content.blocks, `{"json":`+said+`}`)
			continue
		}
		e.block(content, inner)
	}
	e.part = part
	b.Key("toolResult")
	b.Open('{')
	b.StrField("toolUseId", e.resultID(result))
	b.Key("content")
	b.Raws(content.blocks)
	if result.GetIsError() {
		b.StrField("status", "error")
	}
	b.Extra(e.inner("toolResult"), nil)
	b.Close('}')
}

// maxID is how long an id may be.
const maxID = 64

// toolID holds an id to the letters and the length that the API takes. Ids that
// are too long stay different from each other.
func toolID(id string) string {
	kept := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == '-':
			return r
		}
		return '_'
	}, id)
	if len(kept) <= maxID {
		return kept
	}
	sum := sha256.Sum256([]byte(id))
	return "tooluse_" + hex.EncodeToString(sum[:16])
}

// argumentsObject makes the object that the dialect wants of a call's
// arguments. No arguments are {}. What is no JSON object goes, whole, into the
// member raw_arguments, and ok is false.
func argumentsObject(arguments string) (object string, ok bool) {
	if strings.TrimSpace(arguments) == "" {
		return "{}", true
	}
	if jsonbody.IsObject(arguments) {
		return strings.TrimSpace(arguments), true
	}
	b := append([]byte(`{"raw_arguments":`), jsonscan.AppendString(nil, arguments)...)
	return string(append(b, '}')), false
}
