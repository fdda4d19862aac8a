package ollama

import (
	"math"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// DecodeEmbedRequest reads a client's body of /api/embed ("input", a text or a
// list of texts) or of the older /api/embeddings ("prompt", one text).
func DecodeEmbedRequest(body []byte) (*wire.EmbeddingRequest, error) {
	if _, err := jsonscan.Scan(body, embedKeys, nil); err != nil {
		return nil, jsonbody.ScanFault(err)
	}
	out := &wire.EmbeddingRequest{}
	name := ""
	var rest jsonbody.Extra
	err := jsonbody.Whole(body).Members(func(member string, m *jsonbody.Value) (err error) {
		if m.IsNull() {
			return nil
		}
		switch member {
		case "model":
			out.Model, err = m.String()
		case "name":
			name, err = m.String()
		case "input", "prompt":
			out.Inputs, err = decodeInputs(m)
		case "truncate":
			truncate, failed := m.Truth()
			out.Truncate, err = &truncate, failed
		case "dimensions":
			n, failed := m.Integer()
			if failed == nil && (n < 1 || n > math.MaxInt32) {
				failed = jsonbody.Malformed(m.Path(), "want a number from 1")
			}
			out.Dimensions, err = proto.Int32(int32(n)), failed
		default:
			rest.Add(m)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out.Model = or(out.Model, name)
	out.ExtraJSON, out.ExtraWire = rest.Object(), conversationv1.Wire_WIRE_OLLAMA_CHAT
	return out, nil
}

var embedKeys = jsonscan.NewKeys("model", "name", "input", "prompt", "truncate", "dimensions")

// decodeInputs reads a text or a list of them. An empty text is none, as it is
// for Ollama; in a list there is no vector that could stand for one.
func decodeInputs(m *jsonbody.Value) ([]wire.EmbeddingInput, error) {
	switch m.Kind {
	case jsonscan.String:
		text, err := m.String()
		if err != nil || text == "" {
			return nil, err
		}
		return []wire.EmbeddingInput{{Text: text}}, nil
	case jsonscan.Array:
	default:
		return nil, m.Malformed("a string or an array of strings")
	}
	var inputs []wire.EmbeddingInput
	err := m.Elements(func(_ int, e *jsonbody.Value) error {
		text, err := e.String()
		if err == nil && text == "" {
			return jsonbody.Malformed(e.Path(), "is empty")
		}
		inputs = append(inputs, wire.EmbeddingInput{Text: text})
		return err
	})
	return inputs, err
}

// EncodeEmbedRequest is the body of a call of a provider's /api/embed for
// model. Inputs of token ids are refused: Ollama takes texts only. dropped names
// members that it cannot take.
func EncodeEmbedRequest(request *wire.EmbeddingRequest, model string) (body []byte, lost []string, err error) {
	w := writer{}
	w.Open('{')
	w.StrField("model", model)
	w.Key("input")
	w.Open('[')
	for _, input := range request.Inputs {
		if input.Tokens != nil {
			return nil, nil, fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED,
				"input: the model's provider takes texts, not token ids", "field", "input", "model", model)
		}
		w.Str(input.Text)
	}
	w.Close(']')
	if request.Truncate != nil {
		w.Key("truncate")
		w.Truth(*request.Truncate)
	}
	if request.Dimensions != nil {
		w.IntField("dimensions", int64(*request.Dimensions))
	}
	names := dropped.List{Client: request.ExtraWire}
	if request.User != "" {
		names.Add(dropped.User)
	}
	if related(request.ExtraWire) {
		w.Extra(request.ExtraJSON, nil)
	} else {
		names.Extra(dropped.AtTurn, request.ExtraJSON)
	}
	w.Close('}')
	return w.B, names.Names, nil
}

// DecodeEmbeddings reads a provider's answer to /api/embed or /api/embeddings.
func DecodeEmbeddings(body []byte) (*wire.EmbeddingAnswer, error) {
	top, err := object(body)
	if err != nil {
		return nil, err
	}
	out := &wire.EmbeddingAnswer{}
	err = top.Members(func(name string, m *jsonbody.Value) error {
		switch name {
		case "model":
			out.Model = textOr(m, "")
		case "prompt_eval_count":
			out.Usage = &conversationv1.Usage{
				InputTokens: integerOr(m, 0), Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER,
			}
		case "embedding":
			vector, err := decodeVector(m)
			out.Vectors = [][]float32{vector}
			return err
		case "embeddings":
			return m.Elements(func(_ int, e *jsonbody.Value) error {
				vector, err := decodeVector(e)
				out.Vectors = append(out.Vectors, vector)
				return err
			})
		}
		return nil
	})
	if err != nil {
		return nil, protocol("vectors that cannot be read", err)
	}
	return out, nil
}

func decodeVector(m *jsonbody.Value) ([]float32, error) {
	vector := make([]float32, 0, 1024)
	var failed error
	err := jsonscan.ForEachElement(m.Body(), m.Value, func(e jsonscan.Member) bool {
		f, err := e.Float64(m.Body())
		vector, failed = append(vector, float32(f)), err
		return err == nil
	})
	if failed != nil {
		return nil, failed
	}
	return vector, err
}

// EncodeEmbed is the answer to a client's /api/embed. model is the name as
// asked; took is how long it all lasted.
func EncodeEmbed(answer *wire.EmbeddingAnswer, model string, took time.Duration) []byte {
	w := writer{}
	w.Open('{')
	w.StrField("model", or(model, answer.Model))
	w.Key("embeddings")
	w.Open('[')
	for _, vector := range answer.Vectors {
		w.vector(vector)
	}
	w.Close(']')
	w.IntField("total_duration", int64(max(took, 1)))
	w.IntField("load_duration", 1)
	w.IntField("prompt_eval_count", answer.Usage.GetInputTokens())
	w.Close('}')
	return w.B
}

// EncodeEmbeddings is the answer to a client's /api/embeddings: the first
// vector alone.
func EncodeEmbeddings(answer *wire.EmbeddingAnswer) []byte {
	var first []float32
	if len(answer.Vectors) > 0 {
		first = answer.Vectors[0]
	}
	w := writer{}
	w.Open('{')
	w.Key("embedding")
	w.vector(first)
	w.Close('}')
	return w.B
}

func (w *writer) vector(vector []float32) {
	w.Open('[')
	for _, f := range vector {
		w.Float32(f)
	}
	w.Close(']')
}
