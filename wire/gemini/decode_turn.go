package gemini

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"google.golang.org/protobuf/proto"
)

// DecodeTurn implements wire.Codec.
func (codec) DecodeTurn(body []byte) (*conversationv1.Turn, error) {
	h, err := scan(body)
	if err != nil {
		return nil, err
	}
	d := &turnDecoder{turn: &conversationv1.Turn{Model: h.model, MaxOutputTokens: h.limit, ExtraWire: own}}
	if err := jsonbody.Whole(body).Members(d.member); err != nil {
		return nil, err
	}
	if len(d.system) > 0 {
		system := &conversationv1.Message{Role: conversationv1.Role_ROLE_SYSTEM, Parts: d.system}
		d.turn.Messages = append([]*conversationv1.Message{system}, d.turn.Messages...)
	}
	if proto.Size(&d.sampling) > 0 {
		d.turn.Sampling = &d.sampling
	}
	d.turn.ExtraJson = d.rest.Object()
	return d.turn, nil
}

// turnDecoder decodes one body.
type turnDecoder struct {
	turn     *conversationv1.Turn
	sampling conversationv1.Sampling
	rest     jsonbody.Extra
	system   []*conversationv1.ContentPart
	links    callLinks
}

func (d *turnDecoder) member(name string, m *jsonbody.Value) (err error) {
	if m.IsNull() {
		return nil
	}
	switch camel(name) {
	case "model": // It is in the head.
	case "contents":
		err = m.Elements(func(_ int, e *jsonbody.Value) error { return d.content(e) })
	case "systemInstruction":
		err = d.systemInstruction(m)
	case "tools":
		err = m.Elements(func(_ int, e *jsonbody.Value) error { return d.tool(e) })
	case "toolConfig":
		err = d.toolConfig(m)
	case "generationConfig":
		err = d.config(m)
	default:
		d.rest.Add(m)
	}
	return err
}

func (d *turnDecoder) systemInstruction(m *jsonbody.Value) error {
	return m.Members(func(name string, m *jsonbody.Value) error {
		if name != "parts" || m.IsNull() {
			return nil // A role says nothing here.
		}
		parts, err := d.parts(m)
		d.system = parts
		return err
	})
}
