package gemini

import (
	"math"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"google.golang.org/protobuf/proto"
)

// formDecoder gathers what generationConfig says of the answer's form.
type formDecoder struct {
	mime, schema string
	kept         []*jsonbody.Value
}

// config decodes generationConfig. What no field holds stays in a member of the
// same name in extra_json.
func (d *turnDecoder) config(m *jsonbody.Value) error {
	var rest jsonbody.Extra
	var form formDecoder
	err := m.Members(func(name string, m *jsonbody.Value) error {
		if m.IsNull() {
			return nil
		}
		known, err := d.option(camel(name), m, &rest)
		if !known && !form.member(camel(name), m) {
			rest.Add(m)
		}
		return err
	})
	if err != nil {
		return err
	}
	d.turn.ResponseFormat = form.format(&rest)
	d.rest.AddInner("generationConfig", &rest)
	return nil
}

// option decodes one member; false where it is none that steers tokens.
func (d *turnDecoder) option(name string, m *jsonbody.Value, rest *jsonbody.Extra) (known bool, err error) {
	s := &d.sampling
	switch name {
	case "maxOutputTokens": // It is in the head.
	case "stopSequences":
		err = m.Elements(func(_ int, e *jsonbody.Value) error {
			text, err := e.String()
			s.Stop = append(s.Stop, text)
			return err
		})
	case "temperature":
		s.Temperature, err = between(m, 0, 2)
	case "topP":
		s.TopP, err = between(m, 0, 1)
	case "presencePenalty":
		s.PresencePenalty, err = between(m, -2, 2)
	case "frequencyPenalty":
		s.FrequencyPenalty, err = between(m, -2, 2)
	case "topK": // The clients send it as a fraction, too: 40.0.
		var k *float64
		if k, err = between(m, 0, math.MaxInt32); err == nil && *k != math.Trunc(*k) {
			err = m.Malformed("a whole number")
		}
		s.TopK = proto.Int32(int32(*k))
	case "seed":
		var n int64
		n, err = m.Within(math.MinInt32, math.MaxInt32)
		s.Seed = &n
	case "candidateCount":
		var n int64
		n, err = m.Within(1, 128)
		s.ChoiceCount = proto.Int32(int32(n))
	case "responseLogprobs":
		s.Logprobs, err = m.Truth()
	case "logprobs":
		var n int64
		n, err = m.Within(0, 20)
		s.TopLogprobs = proto.Int32(int32(n))
	case "thinkingConfig":
		err = d.thinking(m, rest)
	default:
		return false, nil
	}
	return true, err
}

// between reads a number of a range. The pointer is never nil.
func between(m *jsonbody.Value, least, most float64) (*float64, error) {
	f, err := m.Number()
	if err == nil && (f < least || f > most) {
		err = jsonbody.Malformed(m.Path(), "is out of range")
	}
	return &f, err
}

// thinking decodes thinkingConfig. What the typed turn would write otherwise is
// also kept as it is.
func (d *turnDecoder) thinking(m *jsonbody.Value, rest *jsonbody.Extra) error {
	r := &conversationv1.ReasoningOptions{}
	shown, plain := false, true
	err := m.Members(func(name string, m *jsonbody.Value) (err error) {
		if m.IsNull() {
			return nil
		}
		switch camel(name) {
		case "includeThoughts":
			shown, err = m.Truth()
		case "thinkingBudget":
			var n int64
			switch n, err = m.Integer(); {
			case n > 0:
				r.BudgetTokens = &n
			case n == 0:
				r.Enabled = proto.Bool(false)
			default: // -1: as much as the model likes
				r.Enabled, plain = proto.Bool(true), false
			}
		case "thinkingLevel":
			var level string
			level, err = m.String()
			r.Effort = strings.ToLower(level)
		default:
			plain = false
		}
		return err
	})
	if err != nil {
		return err
	}
	off := r.Enabled != nil && !r.GetEnabled()
	if r.Enabled == nil && shown {
		r.Enabled = proto.Bool(true)
	}
	if !plain || shown == off || r.GetEffort() != "" && !levels[r.GetEffort()] || r.GetEffort() != "" && (off || r.BudgetTokens != nil) {
		rest.Add(m)
	}
	d.turn.Reasoning = r
	return nil
}

// member takes a member that tells of the answer's form; false where it is none.
func (f *formDecoder) member(name string, m *jsonbody.Value) bool {
	switch name {
	case "responseMimeType":
		if m.Kind != jsonscan.String {
			return false
		}
		f.mime, _ = m.String()
	case "responseSchema":
		if m.Kind != jsonscan.Object {
			return false
		}
		if f.schema == "" {
			f.schema = schemaOf(m)
		}
	case "responseJsonSchema", "_responseJsonSchema":
		if m.Kind != jsonscan.Object {
			return false
		}
		f.schema = m.JSON()
	default:
		return false
	}
	f.kept = append(f.kept, m)
	return true
}

// format is the form that was demanded. A form of another kind stays in rest.
func (f *formDecoder) format(rest *jsonbody.Extra) *conversationv1.ResponseFormat {
	switch {
	case f.mime == "application/json" && f.schema != "":
		return &conversationv1.ResponseFormat{
			Kind: conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA, SchemaJson: f.schema,
		}
	case f.mime == "application/json":
		return &conversationv1.ResponseFormat{Kind: conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_OBJECT}
	case f.mime == "text/plain" && f.schema == "":
		return &conversationv1.ResponseFormat{Kind: conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_TEXT}
	}
	for _, m := range f.kept {
		rest.Add(m)
	}
	return nil
}
