package openai

import (
	"math"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/toolcalls"
	"google.golang.org/protobuf/proto"
)

// DecodeTurn implements wire.Codec. extra_wire is always set.
func (chat) DecodeTurn(body []byte) (*conversationv1.Turn, error) {
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
	for _, step := range []func() error{d.decodeMessages, d.decodeTools, d.decodeSampling, d.decodeOptions} {
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
}

// ReadMessages implements wire.MessageReader.
func (chat) ReadMessages(body []byte) ([]*conversationv1.Message, error) {
	h := head{}
	if err := h.scan(body); err != nil {
		return nil, err
	}
	if err := h.check(); err != nil {
		return nil, err
	}
	return decodeMessages(h.at(atMessages).Kept())
}

func (d *turnDecoder) decodeMessages() (err error) {
	d.out.Messages, err = decodeMessages(d.at(atMessages))
	return err
}

func decodeMessages(list *jsonbody.Value) ([]*conversationv1.Message, error) {
	var out []*conversationv1.Message
	err := list.Elements(func(_ int, e *jsonbody.Value) error {
		message, err := decodeMessage(e)
		out = append(out, message)
		return err
	})
	if err != nil {
		return nil, err
	}
	toolcalls.Join(out)
	return out, nil
}

func (d *turnDecoder) decodeSampling() (err error) {
	var s conversationv1.Sampling
	for _, field := range [...]struct {
		at  int
		set **float64
	}{
		{atTemperature, &s.Temperature}, {atTopP, &s.TopP},
		{atPresencePenalty, &s.PresencePenalty}, {atFrequencyPenalty, &s.FrequencyPenalty},
	} {
		if !d.given(field.at) {
			continue
		}
		n, err := d.at(field.at).Number()
		if err != nil {
			return err
		}
		*field.set = &n
	}
	d.decodeExtended(&s)
	if d.given(atSeed) {
		if seed, err := d.members[atSeed].Int64(d.body); err == nil {
			s.Seed = &seed
		} else {
			d.kept[atSeed] = true
		}
	}
	if d.given(atN) {
		n, err := d.at(atN).Integer()
		if err != nil {
			return err
		}
		s.ChoiceCount = proto.Int32(int32(n))
	}
	if d.given(atLogprobs) {
		if s.Logprobs, err = d.at(atLogprobs).Truth(); err != nil {
			return err
		}
	}
	if d.given(atTopLogprobs) {
		n, err := d.at(atTopLogprobs).Integer()
		if err != nil {
			return err
		}
		s.TopLogprobs = proto.Int32(int32(n))
	}
	if err := d.decodeStop(&s); err != nil {
		return err
	}
	if err := d.decodeLogitBias(&s); err != nil {
		return err
	}
	if proto.Size(&s) > 0 {
		d.out.Sampling = &s
	}
	return nil
}

// decodeExtended reads what many servers take and OpenAI does not. Values that
// cannot be meant are left to the provider to judge.
func (d *turnDecoder) decodeExtended(s *conversationv1.Sampling) {
	if d.given(atTopK) {
		if n, err := d.members[atTopK].Int64(d.body); err == nil && n >= 0 && n <= math.MaxInt32 {
			s.TopK = proto.Int32(int32(n))
		} else {
			d.kept[atTopK] = true
		}
	}
	if d.given(atMinP) {
		if n, err := d.members[atMinP].Float64(d.body); err == nil && n >= 0 && n <= 1 {
			s.MinP = &n
		} else {
			d.kept[atMinP] = true
		}
	}
	if d.given(atRepeatPenalty) {
		if n, err := d.members[atRepeatPenalty].Float64(d.body); err == nil && n >= 0 {
			s.RepeatPenalty = &n
		} else {
			d.kept[atRepeatPenalty] = true
		}
	}
}

func (d *turnDecoder) decodeStop(s *conversationv1.Sampling) error {
	if !d.given(atStop) {
		return nil
	}
	stop := d.at(atStop)
	if stop.Kind == jsonscan.String {
		text, err := stop.String()
		s.Stop = []string{text}
		return err
	}
	if stop.Kind != jsonscan.Array {
		return stop.Malformed("a string or an array of strings")
	}
	return stop.Elements(func(_ int, e *jsonbody.Value) error {
		text, err := e.String()
		s.Stop = append(s.Stop, text)
		return err
	})
}

func (d *turnDecoder) decodeLogitBias(s *conversationv1.Sampling) error {
	if !d.given(atLogitBias) {
		return nil
	}
	bias := make(map[string]float64)
	err := d.at(atLogitBias).Members(func(name string, m *jsonbody.Value) error {
		n, err := m.Number()
		bias[name] = n
		return err
	})
	if len(bias) > 0 {
		s.LogitBias = bias
	}
	return err
}

func (d *turnDecoder) decodeOptions() (err error) {
	if d.given(atParallelToolCalls) {
		parallel, err := d.at(atParallelToolCalls).Truth()
		if err != nil {
			return err
		}
		d.out.ParallelToolCalls = &parallel
	}
	if d.given(atReasoningEffort) {
		effort, err := d.at(atReasoningEffort).String()
		if err != nil {
			return err
		}
		d.out.Reasoning = &conversationv1.ReasoningOptions{Effort: effort}
	}
	if d.given(atResponseFormat) {
		return d.decodeResponseFormat()
	}
	return nil
}

func (d *turnDecoder) decodeResponseFormat() error {
	format := &conversationv1.ResponseFormat{}
	kind, known := "", true
	var schema *jsonbody.Value
	err := d.at(atResponseFormat).Members(func(name string, m *jsonbody.Value) (err error) {
		switch name {
		case "type":
			kind, err = m.String()
		case "json_schema":
			schema = m
		default:
			known = known && m.IsNull()
		}
		return err
	})
	if err != nil {
		return err
	}
	switch kind {
	case "text":
		format.Kind = conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_TEXT
	case "json_object":
		format.Kind = conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_OBJECT
	case "json_schema":
		format.Kind = conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA
		if schema == nil {
			return jsonbody.Malformed("response_format.json_schema", "is required with type json_schema")
		}
		whole, err := decodeSchema(schema, format)
		if err != nil {
			return err
		}
		known = known && whole
	default:
		known = false
	}
	if !known {
		d.kept[atResponseFormat] = true
		return nil
	}
	d.out.ResponseFormat = format
	return nil
}

// decodeSchema reports whether the format holds all of it.
func decodeSchema(schema *jsonbody.Value, format *conversationv1.ResponseFormat) (whole bool, err error) {
	whole = true
	err = schema.Members(func(name string, m *jsonbody.Value) (err error) {
		switch {
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
	return whole, err
}

// keepRest gathers the members that no field holds.
func (d *turnDecoder) keepRest() error {
	var out jsonbody.Extra
	err := jsonbody.Bracketed(d.body).Members(func(_ string, m *jsonbody.Value) error {
		for i := range d.members {
			if d.members[i].Present() && d.members[i].Key.Start == m.Key.Start {
				if d.kept[i] || i == atStreamOptions && !m.IsNull() || i == atInput {
					out.Add(m)
				}
				return nil
			}
		}
		out.Add(m)
		return nil
	})
	d.out.ExtraJson = out.Object()
	return err
}
