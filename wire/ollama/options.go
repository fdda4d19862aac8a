package ollama

import (
	"math"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"google.golang.org/protobuf/proto"
)

// decodeOptions reads the member options into sampling. Options that sampling
// has no field for, or whose value it does not take, go to rest. The limit of
// tokens is read with the head.
func decodeOptions(options *jsonbody.Value, sampling *conversationv1.Sampling, rest *jsonbody.Extra) error {
	return options.Members(func(name string, m *jsonbody.Value) error {
		if m.IsNull() {
			return nil
		}
		known, err := decodeOption(name, m, sampling)
		if err == nil && !known {
			rest.Add(m)
		}
		return err
	})
}

func decodeOption(name string, m *jsonbody.Value, s *conversationv1.Sampling) (known bool, err error) {
	switch name {
	case "num_predict":
		n, err := m.Integer()
		return n > 0, err // "No limit" has no field, and a modelfile may set one.
	case "seed":
		n, err := m.Integer()
		s.Seed = &n
		return true, err
	case "top_k":
		n, err := m.Integer()
		if err != nil || n < 0 || n > math.MaxInt32 {
			return false, err
		}
		s.TopK = proto.Int32(int32(n))
		return true, nil
	case "stop":
		s.Stop, err = decodeStop(m)
		return true, err
	}
	var field **float64
	switch name {
	case "temperature":
		field = &s.Temperature
	case "top_p":
		field = &s.TopP
	case "min_p":
		field = &s.MinP
	case "repeat_penalty":
		field = &s.RepeatPenalty
	case "presence_penalty":
		field = &s.PresencePenalty
	case "frequency_penalty":
		field = &s.FrequencyPenalty
	default:
		return false, nil
	}
	f, err := m.Number()
	*field = &f
	return true, err
}

// decodeStop reads a stop text or a list of them; "" is none.
func decodeStop(m *jsonbody.Value) ([]string, error) {
	if m.Kind == jsonscan.String {
		text, err := m.String()
		if text == "" {
			return nil, err
		}
		return []string{text}, err
	}
	var stop []string
	err := m.Elements(func(_ int, e *jsonbody.Value) error {
		text, err := e.String()
		stop = append(stop, text)
		return err
	})
	return stop, err
}

// encodeOptions writes the member options where there is any. rest is the JSON
// object of options that no field holds.
func encodeOptions(w *writer, turn *conversationv1.Turn, rest string) {
	s := turn.GetSampling()
	if s == nil {
		s = &conversationv1.Sampling{}
	}
	o := writer{jsonbody.Writer{B: []byte{'{'}}}
	written := map[string]bool{}
	for _, option := range []struct {
		name  string
		value *float64
	}{
		{"temperature", s.Temperature}, {"top_p", s.TopP}, {"min_p", s.MinP}, {"repeat_penalty", s.RepeatPenalty},
		{"presence_penalty", s.PresencePenalty}, {"frequency_penalty", s.FrequencyPenalty},
	} {
		if option.value != nil {
			written[option.name] = true
			o.Key(option.name)
			o.Float(*option.value)
		}
	}
	integer := func(name string, n int64) {
		written[name] = true
		o.IntField(name, n)
	}
	if s.TopK != nil {
		integer("top_k", int64(s.GetTopK()))
	}
	if s.Seed != nil {
		integer("seed", s.GetSeed())
	}
	if turn.MaxOutputTokens != nil {
		integer("num_predict", turn.GetMaxOutputTokens())
	}
	if len(s.GetStop()) > 0 {
		written["stop"] = true
		o.Key("stop")
		o.Strings(s.GetStop())
	}
	o.Extra(rest, func(name string) bool { return written[name] })
	if len(o.B) > 1 {
		o.Close('}')
		w.RawField("options", string(o.B))
	}
}
