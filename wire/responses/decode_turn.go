package responses

import (
	"google.golang.org/protobuf/proto"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// RoleInstructions is the wire role of the system message that the instructions
// of a turn become.
const RoleInstructions = "instructions"

// DecodeTurn implements wire.Codec. extra_wire is always set. A turn whose
// input lies elsewhere (previous_response_id, conversation, prompt) decodes to
// what it holds itself.
func (codec) DecodeTurn(body []byte) (*conversationv1.Turn, error) {
	d := turnDecoder{}
	if err := d.scan(body); err != nil {
		return nil, err
	}
	turn, err := d.turn()
	if err != nil {
		return nil, err
	}
	d.out = turn
	turn.ExtraWire = own
	for _, step := range []func() error{d.decodeInstructions, d.decodeInput, d.decodeTools, d.decodeSampling, d.decodeText, d.decodeReasoning} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return turn, d.keepRest()
}

// turnDecoder decodes one body.
type turnDecoder struct {
	head
	out *conversationv1.Turn
	// kept are known members with a value that no field holds.
	kept [knownMembers]bool
	// below holds what is left of members that are objects.
	below rest
}

// decodeInstructions reads a text; instructions of another form are items of
// their own.
func (d *turnDecoder) decodeInstructions() error {
	if !d.given(atInstructions) {
		return nil
	}
	instructions := d.at(atInstructions)
	if instructions.Kind == jsonscan.Array {
		messages, err := decodeItems(instructions)
		for _, m := range messages {
			if m.GetRole() == conversationv1.Role_ROLE_SYSTEM {
				m.WireRole = RoleInstructions
			}
		}
		d.out.Messages = append(d.out.Messages, messages...)
		return err
	}
	text, err := instructions.text()
	if text != "" {
		d.out.Messages = append(d.out.Messages, &conversationv1.Message{
			Role: conversationv1.Role_ROLE_SYSTEM, WireRole: RoleInstructions, Parts: []*conversationv1.ContentPart{textPart(text)},
		})
	}
	return err
}

func (d *turnDecoder) decodeInput() error {
	if !d.given(atInput) {
		return nil
	}
	messages, err := decodeInput(d.at(atInput))
	d.out.Messages = append(d.out.Messages, messages...)
	return err
}

func (d *turnDecoder) decodeSampling() (err error) {
	var s conversationv1.Sampling
	for _, field := range [...]struct {
		at  int
		set **float64
	}{{atTemperature, &s.Temperature}, {atTopP, &s.TopP}} {
		if !d.given(field.at) {
			continue
		}
		n, err := d.at(field.at).number()
		if err != nil {
			return err
		}
		*field.set = &n
	}
	if d.given(atTopLogprobs) {
		n, err := d.at(atTopLogprobs).integer()
		if err != nil {
			return err
		}
		s.TopLogprobs = proto.Int32(int32(n))
	}
	if s.Logprobs, err = d.decodeInclude(); err != nil {
		return err
	}
	if proto.Size(&s) > 0 {
		d.out.Sampling = &s
	}
	return nil
}

// includeLogprobs asks for the log probability of each token.
const includeLogprobs = "message.output_text.logprobs"

// decodeInclude takes the demand for log probabilities out of include.
func (d *turnDecoder) decodeInclude() (logprobs bool, err error) {
	if !d.given(atInclude) {
		return false, nil
	}
	var others rest
	err = d.at(atInclude).elements(func(_ int, e *value) error {
		word, err := e.text()
		if err == nil && word == includeLogprobs {
			logprobs = true
			return nil
		}
		if len(others.json) > 0 {
			others.json = append(others.json, ',')
		}
		others.json = append(others.json, e.Raw(e.body)...)
		return nil
	})
	if len(others.json) > 0 {
		d.below.field("include", "["+string(others.json)+"]")
	}
	return logprobs, err
}

// decodeText reads the form of the answer. A format that no field holds stays
// as it is.
func (d *turnDecoder) decodeText() error {
	if !d.given(atText) {
		return nil
	}
	return d.at(atText).members(func(name string, m *value) error {
		if name != "format" {
			d.below.field("text."+name, m.json())
			return nil
		}
		if m.null() {
			return nil
		}
		format, whole, err := decodeFormat(m)
		switch {
		case err != nil:
			return err
		case !whole:
			d.below.field("text.format", m.json())
		default:
			d.out.ResponseFormat = format
		}
		return nil
	})
}

// decodeFormat reports whether the format holds all of it.
func decodeFormat(at *value) (format *conversationv1.ResponseFormat, whole bool, err error) {
	format, whole = &conversationv1.ResponseFormat{}, true
	kind := ""
	err = at.members(func(name string, m *value) (err error) {
		switch {
		case name == "type":
			kind, err = m.text()
		case m.null():
		case name == "name":
			format.Name, err = m.text()
		case name == "description":
			format.Description, err = m.text()
		case name == "schema":
			if m.Kind != jsonscan.Object {
				return m.mismatch("an object")
			}
			format.SchemaJson = m.json()
		case name == "strict":
			var strict bool
			strict, err = m.truth()
			format.Strict = &strict
		default:
			whole = false
		}
		return err
	})
	if err != nil {
		return nil, false, err
	}
	switch kind {
	case "text":
		format.Kind = conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_TEXT
	case "json_object":
		format.Kind = conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_OBJECT
	case "json_schema":
		format.Kind = conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA
		if format.GetSchemaJson() == "" {
			return nil, false, malformed(at.path()+".schema", "is required with type json_schema")
		}
		return format, whole, nil
	default:
		return nil, false, nil
	}
	plain := format.GetName() == "" && format.GetDescription() == "" && format.GetSchemaJson() == "" && format.Strict == nil
	return format, whole && plain, nil
}

func (d *turnDecoder) decodeReasoning() error {
	if !d.given(atReasoning) {
		return nil
	}
	d.out.Reasoning = &conversationv1.ReasoningOptions{}
	return d.at(atReasoning).members(func(name string, m *value) (err error) {
		switch {
		case m.null():
		case name == "effort":
			d.out.Reasoning.Effort, err = m.text()
		default:
			d.below.field("reasoning."+name, m.json())
		}
		return err
	})
}

// keepRest gathers the members that no field holds.
func (d *turnDecoder) keepRest() error {
	var out rest
	err := root(d.body).members(func(_ string, m *value) error {
		for i := range d.members {
			if d.members[i].Present() && d.members[i].Key.Start == m.Key.Start {
				if d.kept[i] || !m.null() && (i == atStore || i == atPrompt || i == atPreviousResponse || i == atConversation) {
					out.add(m)
				}
				return nil
			}
		}
		out.add(m)
		return nil
	})
	if len(d.below.json) > 0 {
		out.open()
		out.json = append(out.json, d.below.json[1:]...)
	}
	d.out.ExtraJson = out.object()
	return err
}

// field adds a member by name.
func (x *rest) field(name, json string) {
	x.open()
	x.json = append(append(jsonscan.AppendString(x.json, name), ':'), json...)
}
