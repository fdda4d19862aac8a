package bedrock

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"google.golang.org/protobuf/proto"
)

// DecodeTurn implements wire.Codec.
func (codec) DecodeTurn(body []byte) (*conversationv1.Turn, error) {
	h, err := scan(body)
	if err != nil {
		return nil, err
	}
	d := &turnDecoder{turn: &conversationv1.Turn{MaxOutputTokens: h.limit, ExtraWire: own}, tools: map[string]string{}}
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
	tools    map[string]string // names of the tools called, by id
}

func (d *turnDecoder) member(name string, m *jsonbody.Value) (err error) {
	if m.IsNull() {
		return nil
	}
	switch name {
	case "messages":
		err = m.Elements(func(_ int, e *jsonbody.Value) error { return d.message(e) })
	case "system":
		d.system, err = d.blocks(m)
	case "inferenceConfig":
		err = d.config(m)
	case "toolConfig":
		err = d.toolConfig(m)
	case "outputConfig":
		err = d.outputConfig(m)
	case "additionalModelRequestFields":
		d.rest.Add(m)
		d.thinking(m)
	default:
		d.rest.Add(m)
	}
	return err
}

// config decodes inferenceConfig. What no field holds stays in a member of the
// same name in extra_json.
func (d *turnDecoder) config(m *jsonbody.Value) error {
	var rest jsonbody.Extra
	s := &d.sampling
	err := m.Members(func(name string, m *jsonbody.Value) (err error) {
		if m.IsNull() {
			return nil
		}
		switch name {
		case "maxTokens": // It is in the head.
		case "temperature":
			s.Temperature, err = share(m)
		case "topP":
			s.TopP, err = share(m)
		case "stopSequences":
			err = m.Elements(func(_ int, e *jsonbody.Value) error {
				text, err := e.String()
				s.Stop = append(s.Stop, text)
				return err
			})
		default:
			rest.Add(m)
		}
		return err
	})
	d.rest.AddInner("inferenceConfig", &rest)
	return err
}

// share reads a number from 0 to 1.
func share(m *jsonbody.Value) (*float64, error) {
	f, err := m.Number()
	if err == nil && (f < 0 || f > 1) {
		err = jsonbody.Malformed(m.Path(), "must be from 0 to 1")
	}
	return &f, err
}

// thinking reads what Claude's thinking says, for providers of other dialects;
// in this one the fields go on as they are.
func (d *turnDecoder) thinking(m *jsonbody.Value) {
	if m.Kind != jsonscan.Object {
		return
	}
	_ = m.Members(func(name string, m *jsonbody.Value) error { // What is of another form is not for the mesh.
		if name != "thinking" && name != "reasoning_config" || m.Kind != jsonscan.Object {
			return nil
		}
		r := &conversationv1.ReasoningOptions{}
		err := m.Members(func(name string, m *jsonbody.Value) (err error) {
			switch name {
			case "type":
				var kind string
				kind, err = m.String()
				r.Enabled = proto.Bool(kind != "disabled")
			case "budget_tokens":
				var n int64
				if n, err = m.Integer(); n > 0 {
					r.BudgetTokens = &n
				}
			}
			return err
		})
		if err == nil {
			d.turn.Reasoning = r
		}
		return nil
	})
}

// outputConfig decodes a demanded schema. A form that is another stays as it is.
func (d *turnDecoder) outputConfig(m *jsonbody.Value) error {
	f, plain := &conversationv1.ResponseFormat{Kind: conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA}, true
	err := m.Members(func(name string, m *jsonbody.Value) error {
		if name != "textFormat" {
			plain = false
			return nil
		}
		return m.Members(func(name string, m *jsonbody.Value) error {
			switch name {
			case "type":
				kind, err := m.String()
				plain = plain && kind == "json_schema"
				return err
			case "structure":
				return m.Members(func(name string, m *jsonbody.Value) error {
					if name != "jsonSchema" {
						plain = false
						return nil
					}
					return m.Members(func(name string, m *jsonbody.Value) (err error) {
						switch name {
						case "schema":
							f.SchemaJson, err = m.String()
						case "name":
							f.Name, err = m.String()
						case "description":
							f.Description, err = m.String()
						default:
							plain = false
						}
						return err
					})
				})
			}
			plain = false
			return nil
		})
	})
	if err != nil {
		return err
	}
	if plain && jsonbody.IsObject(f.SchemaJson) {
		d.turn.ResponseFormat = f
	} else {
		d.rest.AddJSON("outputConfig", m.JSON())
	}
	return nil
}
