package responses

import (
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"google.golang.org/protobuf/proto"
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
	below jsonbody.Extra
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
	text, err := instructions.String()
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
		n, err := d.at(field.at).Number()
		if err != nil {
			return err
		}
		*field.set = &n
	}
	if d.given(atTopLogprobs) {
		n, err := d.at(atTopLogprobs).Integer()
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
	var others []string
	err = d.at(atInclude).Elements(func(_ int, e *jsonbody.Value) error {
		word, err := e.String()
		if err == nil && word == includeLogprobs {
			logprobs = true
			return nil
		}
		others = append(others, e.JSON())
		return nil
	})
	if len(others) > 0 {
		d.below.AddJSON("include", "["+strings.Join(others, ",")+"]")
	}
	return logprobs, err
}

// decodeText reads the form of the answer. A format that no field holds stays
// as it is.
func (d *turnDecoder) decodeText() error {
	if !d.given(atText) {
		return nil
	}
	return d.at(atText).Members(func(name string, m *jsonbody.Value) error {
		if name != "format" {
			d.below.AddJSON("text."+name, m.JSON())
			return nil
		}
		if m.IsNull() {
			return nil
		}
		format, whole, err := decodeFormat(m)
		switch {
		case err != nil:
			return err
		case !whole:
			d.below.AddJSON("text.format", m.JSON())
		default:
			d.out.ResponseFormat = format
		}
		return nil
	})
}

// decodeFormat reports whether the format holds all of it.
func decodeFormat(at *jsonbody.Value) (format *conversationv1.ResponseFormat, whole bool, err error) {
	format, whole = &conversationv1.ResponseFormat{}, true
	kind := ""
	err = at.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case name == "type":
			kind, err = m.String()
		case m.IsNull():
		case name == "name":
			format.Name, err = m.String()
		case name == "description":
			format.Description, err = m.String()
		case name == "schema":
			if m.Kind != jsonscan.Object {
				return m.Malformed("an object")
			}
			format.SchemaJson = m.JSON()
		case name == "strict":
			var strict bool
			strict, err = m.Truth()
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
			return nil, false, jsonbody.Malformed(at.Path()+".schema", "is required with type json_schema")
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
	return d.at(atReasoning).Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
		case m.IsNull():
		case name == "effort":
			d.out.Reasoning.Effort, err = m.String()
		default:
			d.below.AddJSON("reasoning."+name, m.JSON())
		}
		return err
	})
}

// keepRest gathers the members that no field holds.
func (d *turnDecoder) keepRest() error {
	var out jsonbody.Extra
	err := jsonbody.Bracketed(d.body).Members(func(_ string, m *jsonbody.Value) error {
		for i := range d.members {
			if d.members[i].Present() && d.members[i].Key.Start == m.Key.Start {
				if d.kept[i] || !m.IsNull() && (i == atStore || i == atPrompt || i == atPreviousResponse || i == atConversation) {
					out.Add(m)
				}
				return nil
			}
		}
		out.Add(m)
		return nil
	})
	out.AddAll(&d.below)
	d.out.ExtraJson = out.Object()
	return err
}
