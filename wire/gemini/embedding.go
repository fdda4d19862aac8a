package gemini

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"google.golang.org/grpc/codes"
)

// MaxEmbeddings is how many inputs one call of batchEmbedContents takes. Source:
// the API's own error, "at most 100 requests can be in one batch", 2026-11.
const MaxEmbeddings = 100

// EncodeEmbeddings makes the body of a call of batchEmbedContents for a model.
// dropped names what it cannot carry. Inputs of token ids are refused with
// UNSUPPORTED.
func EncodeEmbeddings(request *wire.EmbeddingRequest, model string) (body []byte, lost []string, err error) {
	names := dropped.List{Client: request.ExtraWire}
	ours := request.ExtraWire == own
	w := &jsonbody.Writer{}
	w.Open('{')
	w.Key("requests")
	w.Open('[')
	for _, input := range request.Inputs {
		if input.Tokens != nil {
			return nil, nil, fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED,
				"input: the model's provider takes texts, not token ids", "field", "input", "model", model)
		}
		w.Open('{')
		w.StrField("model", ModelPath(model))
		w.Key("content")
		w.Open('{')
		w.Key("parts")
		w.Open('[')
		w.Open('{')
		w.StrField("text", input.Text)
		w.Close('}')
		w.Close(']')
		w.Close('}')
		if request.Dimensions != nil {
			w.IntField("outputDimensionality", int64(*request.Dimensions))
		}
		if ours { // taskType and title are of each request.
			w.Extra(request.ExtraJSON, nil)
		}
		w.Close('}')
	}
	w.Close(']')
	w.Close('}')
	if request.User != "" {
		names.Add(dropped.User)
	}
	if request.Truncate != nil {
		names.Add(dropped.Truncate)
	}
	if !ours {
		names.Extra(dropped.AtTurn, request.ExtraJSON)
	}
	return w.B, names.Names, nil
}

var (
	embeddingsKeys = jsonscan.NewKeys("embeddings", "usageMetadata")
	vectorKeys     = jsonscan.NewKeys("values")
)

// DecodeEmbeddingAnswer decodes the answer to batchEmbedContents. Usage is nil
// where the answer does not give it, as most do not.
func DecodeEmbeddingAnswer(body []byte) (*wire.EmbeddingAnswer, error) {
	var room [2]jsonscan.Member
	at, err := jsonscan.Scan(body, embeddingsKeys, room[:0])
	if err != nil {
		return nil, jsonbody.Protocol("an answer that is not a JSON object", err)
	}
	if at[0].Kind != jsonscan.Array {
		return nil, jsonbody.Protocol("an answer without embeddings", nil)
	}
	out := &wire.EmbeddingAnswer{}
	sound := true
	err = jsonscan.ForEachElement(body, at[0].Value, func(m jsonscan.Member) bool {
		var vector []float32
		vector, sound = readVector(body, m)
		out.Vectors = append(out.Vectors, vector)
		return sound
	})
	if err != nil || !sound {
		return nil, jsonbody.Protocol("an embedding that cannot be read", err)
	}
	var counts tally
	if counts.read(body, at[1]) {
		out.Usage = &conversationv1.Usage{InputTokens: counts.counts[0], Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER}
	}
	return out, nil
}

func readVector(body []byte, m jsonscan.Member) (vector []float32, sound bool) {
	if m.Kind != jsonscan.Object {
		return nil, false
	}
	var room [1]jsonscan.Member
	at, err := jsonscan.ScanObject(body, m.Value, vectorKeys, room[:0])
	if err != nil || at[0].Kind != jsonscan.Array {
		return nil, false
	}
	sound = true
	err = jsonscan.ForEachElement(body, at[0].Value, func(m jsonscan.Member) bool {
		f, err := m.Float64(body)
		vector, sound = append(vector, float32(f)), err == nil
		return sound
	})
	return vector, sound && err == nil
}
