package gemini

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/signer"
)

// content decodes one content. A user's with function responses becomes two
// messages.
func (d *turnDecoder) content(e *jsonbody.Value) error {
	role := ""
	var parts []*conversationv1.ContentPart
	var rest jsonbody.Extra
	err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "role":
			role, err = m.String()
		case name == "parts":
			parts, err = d.parts(m)
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
	case "model":
		add(conversationv1.Role_ROLE_ASSISTANT, parts)
	case "user", "", "function", "tool":
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
		return jsonbody.Malformed(e.Path()+".role", "must be user or model")
	}
	d.turn.Messages[len(d.turn.Messages)-1].ExtraJson = rest.Object()
	return nil
}

func (d *turnDecoder) parts(m *jsonbody.Value) ([]*conversationv1.ContentPart, error) {
	var parts []*conversationv1.ContentPart
	err := m.Elements(func(_ int, e *jsonbody.Value) error {
		decoded, err := d.part(e)
		parts = append(parts, decoded...)
		return err
	})
	return parts, err
}

// part decodes one part. Its signature becomes a part of its own before it.
func (d *turnDecoder) part(e *jsonbody.Value) ([]*conversationv1.ContentPart, error) {
	p := partDecoder{links: &d.links, part: &conversationv1.ContentPart{}}
	if err := e.Members(p.member); err != nil {
		return nil, err
	}
	if p.part.Kind == nil && p.data != "" {
		return []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Opaque{
			Opaque: &conversationv1.OpaquePart{WireType: p.data, Json: e.JSON()},
		}}}, nil
	}
	p.rest.AddInner(p.data, &p.inner)
	p.part.ExtraJson = p.rest.Object()
	if p.thought {
		p.part.Kind = &conversationv1.ContentPart_Reasoning{
			Reasoning: &conversationv1.Reasoning{Text: p.part.GetText(), Signature: p.signature},
		}
		return []*conversationv1.ContentPart{p.part}, nil
	}
	var parts []*conversationv1.ContentPart
	if p.signature != "" {
		parts = append(parts, &conversationv1.ContentPart{
			Kind: &conversationv1.ContentPart_Reasoning{Reasoning: &conversationv1.Reasoning{Signature: p.signature}},
		})
	}
	if p.part.Kind == nil || p.data == "text" && p.part.GetText() == "" {
		return parts, nil // A signature may come alone, or with an empty text.
	}
	return append(parts, p.part), nil
}

// partDecoder decodes the members of one part.
type partDecoder struct {
	links     *callLinks
	part      *conversationv1.ContentPart
	data      string // the member with the content
	thought   bool
	signature string
	rest      jsonbody.Extra
	inner     jsonbody.Extra // members of the content that no field holds
}

func (p *partDecoder) member(name string, m *jsonbody.Value) (err error) {
	if m.IsNull() {
		return nil
	}
	switch member := camel(name); member {
	case "thought":
		p.thought, err = m.Truth()
	case "thoughtSignature":
		if p.signature, err = m.String(); err == nil {
			p.signature = signer.Gemini.Read(p.signature)
		}
	case "text", "inlineData", "fileData", "functionCall", "functionResponse":
		if p.data != "" {
			return jsonbody.Malformed(m.Path(), "a part holds one kind of content")
		}
		p.data = member
		err = p.content(member, m)
	case "videoMetadata", "mediaResolution", "partMetadata":
		p.rest.Add(m)
	default:
		if p.data == "" {
			p.data = name // of a kind that no field holds
		}
		p.rest.Add(m)
	}
	return err
}

func (p *partDecoder) content(member string, m *jsonbody.Value) error {
	switch member {
	case "text":
		text, err := m.String()
		p.part.Kind = &conversationv1.ContentPart_Text{Text: text}
		return err
	case "inlineData":
		return p.inlineData(m)
	case "fileData":
		return p.fileData(m)
	case "functionCall":
		return p.functionCall(m)
	}
	return p.functionResponse(m)
}

func (p *partDecoder) functionCall(m *jsonbody.Value) error {
	call := &conversationv1.ToolCall{ArgumentsJson: "{}"}
	err := m.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "id":
			call.Id, err = m.String()
		case name == "name":
			call.Name, err = m.String()
		case name == "args" && m.Kind == jsonscan.Object:
			call.ArgumentsJson = m.JSON()
		case name == "args":
			err = m.Malformed("an object")
		default:
			p.inner.Add(m)
		}
		return err
	})
	if err == nil && call.Name == "" {
		err = jsonbody.Malformed(m.Path()+".name", "a function call needs a name")
	}
	if err == nil {
		p.links.add(call)
	}
	p.part.Kind = &conversationv1.ContentPart_ToolCall{ToolCall: call}
	return err
}

func (p *partDecoder) functionResponse(m *jsonbody.Value) error {
	result := &conversationv1.ToolResult{}
	var media []*conversationv1.ContentPart
	err := m.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "id":
			result.ToolCallId, err = m.String()
		case name == "name":
			result.ToolName, err = m.String()
		case name == "response":
			err = readResponse(m, result)
		case name == "parts":
			err = m.Elements(func(_ int, e *jsonbody.Value) error {
				inner := partDecoder{links: p.links, part: &conversationv1.ContentPart{}}
				if err := e.Members(inner.member); err != nil {
					return err
				}
				if inner.data != "inlineData" && inner.data != "fileData" {
					return jsonbody.Malformed(e.Path(), "want inlineData or fileData")
				}
				media = append(media, inner.part)
				return nil
			})
		default:
			p.inner.Add(m)
		}
		return err
	})
	if err == nil && result.ToolName == "" && result.ToolCallId == "" {
		err = jsonbody.Malformed(m.Path()+".name", "a function response needs the name of its function")
	}
	if err == nil {
		p.links.answer(result)
	}
	result.Parts = append(result.Parts, media...)
	p.part.Kind = &conversationv1.ContentPart_ToolResult{ToolResult: result}
	return err
}

// readResponse reads what a tool gave: the text of the one member output or
// error, else the JSON as it stands.
func readResponse(m *jsonbody.Value, result *conversationv1.ToolResult) error {
	count, key, plain := 0, "", true
	text := ""
	err := m.Members(func(name string, m *jsonbody.Value) (err error) {
		count++
		if key = name; m.Kind == jsonscan.String {
			text, err = m.String()
			return err
		}
		plain = false
		return nil
	})
	switch {
	case err != nil:
		return err
	case count != 1 || !plain || key != "output" && key != "error":
		text = m.JSON()
	case key == "error":
		result.IsError = true
	}
	result.Parts = append(result.Parts, &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Text{Text: text}})
	return nil
}
