package gemini

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/signer"
)

// merged is a content of the API: one or more messages of the turn's.
type merged struct {
	role    string
	results []placed // of tools; such a content holds nothing else
	parts   []string
}

// placed is the part of a result, with the place of its call.
type placed struct {
	call int
	part string
}

// contents writes the members systemInstruction and contents.
func (e *turnEncoder) contents() {
	var system []string
	var list []*merged
	var behind []string // what tools gave beside their responses
	for _, m := range e.turn.GetMessages() {
		if m.GetName() != "" {
			e.drop(dropped.Name)
		}
		e.dropped.Extra(dropped.AtMessage, m.GetExtraJson())
		if m.GetRole() == conversationv1.Role_ROLE_SYSTEM {
			system = append(system, e.systemParts(m)...)
			continue
		}
		role := "user"
		if m.GetRole() == conversationv1.Role_ROLE_ASSISTANT {
			role = "model"
		}
		next := &merged{role: role}
		if role == "model" {
			e.modelParts(next, m.GetParts())
		} else {
			e.userParts(next, m.GetParts())
		}
		if len(next.results) > 0 {
			if n := len(list); n > 0 && len(list[n-1].results) > 0 {
				list[n-1].results = append(list[n-1].results, next.results...)
			} else {
				list = append(list, &merged{role: role, results: next.results})
			}
			behind = append(behind, next.parts...)
			continue
		}
		list = join(list, "user", behind)
		list, behind = join(list, role, next.parts), nil
	}
	list = join(list, "user", behind)
	if len(system) > 0 {
		e.w.Key("systemInstruction")
		e.w.Open('{')
		e.w.Key("parts")
		e.w.Raws(system)
		e.w.Close('}')
	}
	e.w.Key("contents")
	e.w.Open('[')
	for _, m := range list {
		slices.SortStableFunc(m.results, func(a, b placed) int { return cmp.Compare(a.call, b.call) })
		e.w.Open('{')
		e.w.StrField("role", m.role)
		e.w.Key("parts")
		e.w.Open('[')
		for _, result := range m.results {
			e.w.Raw(result.part)
		}
		for _, part := range m.parts {
			e.w.Raw(part)
		}
		e.w.Close(']')
		e.w.Close('}')
	}
	e.w.Close(']')
}

// join adds parts to the last content where that is of their role, else as one
// of their own.
func join(list []*merged, role string, parts []string) []*merged {
	switch n := len(list); {
	case len(parts) == 0:
	case n > 0 && list[n-1].role == role && len(list[n-1].results) == 0:
		list[n-1].parts = append(list[n-1].parts, parts...)
	default:
		list = append(list, &merged{role: role, parts: parts})
	}
	return list
}

func (e *turnEncoder) systemParts(m *conversationv1.Message) (parts []string) {
	for _, part := range m.GetParts() {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_Text:
			if kind.Text != "" {
				parts = append(parts, e.write(part, func(b *jsonbody.Writer) bool { b.StrField("text", kind.Text); return true })...)
			}
		case *conversationv1.ContentPart_Image:
			e.drop(dropped.Image)
		case *conversationv1.ContentPart_Opaque:
			e.dropped.Below(dropped.AtPart, kind.Opaque.GetWireType())
		default:
			e.drop(dropped.File)
		}
	}
	return parts
}

// write makes a part; none where fill says so. Members of the part that no
// field holds follow.
func (e *turnEncoder) write(part *conversationv1.ContentPart, fill func(*jsonbody.Writer) bool) []string {
	e.part = part
	b := &jsonbody.Writer{}
	b.Open('{')
	if !fill(b) {
		return nil
	}
	inner := contentMember(part)
	if object := part.GetExtraJson(); e.ours() {
		b.Extra(object, func(name string) bool { return name == inner })
	} else {
		e.dropped.Extra(dropped.AtPart, object)
	}
	b.Close('}')
	return []string{string(b.B)}
}

// contentMember is the member that holds a part's content, where that is an
// object.
func contentMember(part *conversationv1.ContentPart) string {
	switch kind := part.GetKind().(type) {
	case *conversationv1.ContentPart_ToolCall:
		return "functionCall"
	case *conversationv1.ContentPart_ToolResult:
		return "functionResponse"
	case *conversationv1.ContentPart_Image:
		if kind.Image.GetUrl() != "" {
			return "fileData"
		}
		return "inlineData"
	case *conversationv1.ContentPart_Audio:
		return "inlineData"
	case *conversationv1.ContentPart_File:
		if len(kind.File.GetData()) > 0 {
			return "inlineData"
		}
		return "fileData"
	}
	return ""
}

// inner is the member of the part's extra_json that holds what its content has
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

// userParts encodes what a user says and what tools gave.
func (e *turnEncoder) userParts(into *merged, parts []*conversationv1.ContentPart) {
	for _, part := range parts {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_ToolResult:
			e.toolResult(into, part, kind.ToolResult)
		case *conversationv1.ContentPart_Opaque:
			e.opaque(into, kind.Opaque)
		default:
			into.parts = append(into.parts, e.write(part, func(b *jsonbody.Writer) bool { return e.media(b, part) })...)
		}
	}
}

// media writes text, pictures, sound and documents.
func (e *turnEncoder) media(b *jsonbody.Writer, part *conversationv1.ContentPart) bool {
	switch kind := part.GetKind().(type) {
	case *conversationv1.ContentPart_Text:
		b.StrField("text", kind.Text)
		return kind.Text != ""
	case *conversationv1.ContentPart_Refusal:
		b.StrField("text", kind.Refusal)
		return kind.Refusal != ""
	case *conversationv1.ContentPart_Image:
		return e.image(b, kind.Image)
	case *conversationv1.ContentPart_File:
		return e.file(b, kind.File)
	case *conversationv1.ContentPart_Audio:
		return e.audio(b, kind.Audio)
	}
	return false
}

func (e *turnEncoder) opaque(into *merged, part *conversationv1.OpaquePart) {
	if e.ours() && jsonbody.IsObject(part.GetJson()) {
		into.parts = append(into.parts, part.GetJson())
		return
	}
	e.dropped.Below(dropped.AtPart, part.GetWireType())
}

// excuse is what Google lets a client send in place of a signature that it
// cannot have.
const excuse = "skip_thought_signature_validator"

// modelParts encodes what the model said. The signature of a block of reasoning
// goes to the part behind it; where there is none, to an empty text.
func (e *turnEncoder) modelParts(into *merged, parts []*conversationv1.ContentPart) {
	signature, called := "", false
	flush := func() {
		if signature != "" {
			into.parts = append(into.parts, `{"text":"","thoughtSignature":`+string(quote(signature))+`}`)
			signature = ""
		}
	}
	for _, part := range parts {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_Reasoning:
			flush()
			into.parts = append(into.parts, e.thought(part, kind.Reasoning)...)
			signature = signer.Gemini.Own(kind.Reasoning.GetSignature())
			continue
		case *conversationv1.ContentPart_Opaque:
			flush()
			e.opaque(into, kind.Opaque)
			continue
		}
		written := e.write(part, func(b *jsonbody.Writer) bool {
			call := part.GetToolCall()
			if call == nil {
				if !e.media(b, part) {
					return false
				}
			} else {
				e.toolCall(b, call)
				if signature == "" && !called && e.quirk(quirkSignedCalls) {
					signature = excuse
				}
				called = true
			}
			if signature != "" {
				b.StrField("thoughtSignature", signature)
				signature = ""
			}
			return true
		})
		into.parts = append(into.parts, written...)
	}
	flush()
}

// thought encodes the text of a block of reasoning that the API knows again.
func (e *turnEncoder) thought(part *conversationv1.ContentPart, r *conversationv1.Reasoning) []string {
	if r.GetRedacted() != "" || r.GetText() != "" && signer.Gemini.Own(r.GetSignature()) == "" && (!e.ours() || r.GetSignature() != "") {
		e.drop(dropped.Reasoning)
		return nil
	}
	return e.write(part, func(b *jsonbody.Writer) bool {
		b.StrField("text", r.GetText())
		b.TruthField("thought", true)
		return r.GetText() != ""
	})
}

func (e *turnEncoder) toolCall(b *jsonbody.Writer, call *conversationv1.ToolCall) {
	given := call.GetId()
	noted := &conversationv1.ToolCall{Id: given, Name: call.GetName(), ArgumentsJson: call.GetArgumentsJson()}
	e.links.add(noted)
	arguments := strings.TrimSpace(call.GetArgumentsJson())
	switch {
	case arguments == "":
		arguments = "{}"
	case !jsonbody.IsObject(arguments):
		e.drop(dropped.Arguments)
		arguments = `{"raw_arguments":` + string(quote(arguments)) + `}`
	}
	b.Key("functionCall")
	b.Open('{')
	b.StrField("id", noted.GetId())
	b.StrField("name", call.GetName())
	b.RawField("args", arguments)
	b.Extra(e.inner("functionCall"), nil)
	b.Close('}')
}

// toolResult encodes what a tool gave. Pictures stand in the response where the
// model takes them there, else behind all responses.
func (e *turnEncoder) toolResult(into *merged, part *conversationv1.ContentPart, result *conversationv1.ToolResult) {
	id, name, place := result.GetToolCallId(), result.GetToolName(), e.links.count
	if call, ok := e.links.take(id, name); ok {
		id, name, place = call.id, call.name, call.ordinal
	}
	var texts, media []string
	for _, inner := range result.GetParts() {
		if text, ok := inner.GetKind().(*conversationv1.ContentPart_Text); ok {
			texts = append(texts, text.Text)
			e.dropped.Extra(dropped.AtPart, inner.GetExtraJson())
			continue
		}
		if inner.GetOpaque() != nil {
			e.dropped.Below(dropped.AtPart, inner.GetOpaque().GetWireType())
			continue
		}
		media = append(media, e.write(inner, func(b *jsonbody.Writer) bool { return e.media(b, inner) })...)
	}
	inside := len(media) > 0 && (e.ours() || e.quirk(quirkMultimodalResults))
	written := e.write(part, func(b *jsonbody.Writer) bool {
		b.Key("functionResponse")
		b.Open('{')
		if id != "" {
			b.StrField("id", id)
		}
		b.StrField("name", name)
		b.RawField("response", response(strings.Join(texts, "\n"), result.GetIsError()))
		if inside {
			b.Key("parts")
			b.Raws(media)
		}
		b.Extra(e.inner("functionResponse"), nil)
		b.Close('}')
		return true
	})
	into.results = append(into.results, placed{call: place, part: written[0]})
	if len(media) > 0 && !inside {
		into.parts = append(into.parts, `{"text":`+string(quote("Result of tool call "+callName(id, name, place)+":"))+`}`)
		into.parts = append(into.parts, media...)
	}
}

func callName(id, name string, place int) string {
	switch {
	case id != "":
		return id
	case name != "":
		return name
	}
	return strconv.Itoa(place)
}

// response is the object that the API wants of a result: JSON objects as they
// are, texts under the names that the API reads so.
func response(text string, failed bool) string {
	switch {
	case failed:
		return `{"error":` + string(quote(text)) + `}`
	case jsonbody.IsObject(text):
		return text
	}
	return `{"output":` + string(quote(text)) + `}`
}
