package ollama

import (
	"math"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"google.golang.org/protobuf/proto"
)

// decodeOptions reads the member options into sampling. Options that sampling
// has no field for, or whose value it does not take, go to rest. The limit of
// tokens is read with the head.
func decodeOptions(options *value, sampling *conversationv1.Sampling, rest *extra) error {
	return options.members(func(name string, m *value) error {
		if m.isNull() {
			return nil
		}
		known, err := decodeOption(name, m, sampling)
		if err == nil && !known {
			rest.add(m)
		}
		return err
	})
}

func decodeOption(name string, m *value, s *conversationv1.Sampling) (known bool, err error) {
	switch name {
	case "num_predict":
		n, err := m.integer()
		return n > 0, err // "No limit" has no field, and a modelfile may set one.
	case "seed":
		n, err := m.integer()
		s.Seed = &n
		return true, err
	case "top_k":
		n, err := m.integer()
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
	f, err := m.number()
	*field = &f
	return true, err
}

// decodeStop reads a stop text or a list of them; "" is none.
func decodeStop(m *value) ([]string, error) {
	if m.Kind == jsonscan.String {
		text, err := m.text()
		if text == "" {
			return nil, err
		}
		return []string{text}, err
	}
	var stop []string
	err := m.elements(func(_ int, e *value) error {
		text, err := e.text()
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
	o := writer{b: []byte{'{'}}
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
			o.key(option.name)
			o.float(*option.value)
		}
	}
	integer := func(name string, n int64) {
		written[name] = true
		o.intField(name, n)
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
		o.key("stop")
		o.strings(s.GetStop())
	}
	o.extra(rest, func(name string) bool { return written[name] })
	if len(o.b) > 1 {
		o.close('}')
		w.rawField("options", string(o.b))
	}
}
