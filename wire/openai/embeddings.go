package openai

import (
	"encoding/binary"
	"fmt"
	"math"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/inline"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// VectorFormat is how vectors stand in an answer.
type VectorFormat uint8

const (
	// VectorFloat is an array of numbers, the default of the API.
	VectorFloat VectorFormat = iota
	// VectorBase64 is the base64 of little-endian 32-bit floats, which most SDKs
	// ask for without being told.
	VectorBase64
)

// maxEmbeddingInputs is OpenAI's own bound.
const maxEmbeddingInputs = 2048

const (
	atEmbedModel = iota
	atEmbedInput
	atEncodingFormat
	atDimensions
	atEmbedUser
	atTruncate
	embedMembers
)

var embedKeys = jsonscan.NewKeys("model", "input", "encoding_format", "dimensions", "user", "truncate")

// DecodeEmbeddings decodes a client's body of /v1/embeddings. Input may be a
// text, texts, tokens, or lists of tokens. A truncate that is no boolean, as
// some servers have it, stays with the extra members.
func DecodeEmbeddings(body []byte) (*wire.EmbeddingRequest, VectorFormat, error) {
	var room [embedMembers]jsonscan.Member
	if _, err := jsonscan.Scan(body, embedKeys, room[:]); err != nil {
		return nil, 0, jsonbody.ScanFault(err)
	}
	at := func(i int) *jsonbody.Value { return jsonbody.Bracketed(body).At(room[i]) }
	out := &wire.EmbeddingRequest{ExtraWire: own}
	var err error
	if out.Model, err = at(atEmbedModel).StringOrNull(); err != nil {
		return nil, 0, err
	}
	if out.User, err = at(atEmbedUser).StringOrNull(); err != nil {
		return nil, 0, err
	}
	if out.Inputs, err = decodeInputs(at(atEmbedInput)); err != nil {
		return nil, 0, err
	}
	if d := at(atDimensions); !d.IsNull() {
		n, err := d.Integer()
		if err != nil {
			return nil, 0, err
		}
		if n < 1 || n > math.MaxInt32 {
			return nil, 0, fault.InvalidField("dimensions", "want 1 or more")
		}
		dimensions := int32(n)
		out.Dimensions = &dimensions
	}
	if kind := room[atTruncate].Kind; kind == jsonscan.True || kind == jsonscan.False {
		truncate := kind == jsonscan.True
		out.Truncate = &truncate
	}
	format, err := decodeFormat(at(atEncodingFormat))
	if err != nil {
		return nil, 0, err
	}
	out.ExtraJSON, err = embedRest(body, room[:], out.Truncate != nil)
	return out, format, err
}

func embedRest(body []byte, known []jsonscan.Member, truncate bool) (string, error) {
	var out jsonbody.Extra
	err := jsonbody.Bracketed(body).Members(func(_ string, m *jsonbody.Value) error {
		for i, k := range known {
			if k.Present() && k.Key.Start == m.Key.Start && (i != atTruncate || truncate || m.IsNull()) {
				return nil
			}
		}
		out.Add(m)
		return nil
	})
	return out.Object(), err
}

func decodeFormat(v *jsonbody.Value) (VectorFormat, error) {
	word, err := v.StringOrNull()
	switch {
	case err != nil:
		return 0, err
	case word == "" || word == "float":
		return VectorFloat, nil
	case word == "base64":
		return VectorBase64, nil
	}
	return 0, fault.InvalidField("encoding_format", `want "float" or "base64"`)
}

func decodeInputs(v *jsonbody.Value) (inputs []wire.EmbeddingInput, err error) {
	switch v.Kind {
	case jsonscan.Absent, jsonscan.Null:
		return nil, fault.InvalidField("input", "is required")
	case jsonscan.String:
		text, err := v.String()
		if err == nil && text == "" {
			return nil, fault.InvalidField("input", "is empty")
		}
		return []wire.EmbeddingInput{{Text: text}}, err
	case jsonscan.Array:
	default:
		return nil, v.Malformed("a string or an array")
	}
	var tokens []int32
	err = v.Elements(func(i int, e *jsonbody.Value) error {
		switch {
		case len(inputs) == maxEmbeddingInputs:
			return fault.InvalidField("input", fmt.Sprintf("has more than %d entries", maxEmbeddingInputs))
		case e.Kind == jsonscan.Number && len(inputs) == 0:
			n, err := decodeTokenID(e)
			tokens = append(tokens, n)
			return err
		case len(tokens) > 0:
			return e.Malformed("a token, as before it")
		case e.Kind == jsonscan.String:
			text, err := e.String()
			if err == nil && text == "" {
				return fault.InvalidField(e.Path(), "is empty")
			}
			inputs = append(inputs, wire.EmbeddingInput{Text: text})
			return err
		case e.Kind == jsonscan.Array:
			list := []int32{}
			err := e.Elements(func(_ int, t *jsonbody.Value) error {
				n, err := decodeTokenID(t)
				list = append(list, n)
				return err
			})
			if err == nil && len(list) == 0 {
				return fault.InvalidField(e.Path(), "is empty")
			}
			inputs = append(inputs, wire.EmbeddingInput{Tokens: list})
			return err
		}
		return e.Malformed("a string or an array of tokens")
	})
	switch {
	case err != nil:
		return nil, err
	case len(tokens) > 0:
		return []wire.EmbeddingInput{{Tokens: tokens}}, nil
	case len(inputs) == 0:
		return nil, fault.InvalidField("input", "is empty")
	}
	return inputs, nil
}

func decodeTokenID(v *jsonbody.Value) (int32, error) {
	n, err := v.Integer()
	if err == nil && (n < 0 || n > math.MaxInt32) {
		return 0, jsonbody.Malformed(v.Path(), "is no token")
	}
	return int32(n), err
}

// EncodeEmbeddings makes the body of a provider's /v1/embeddings. Model is the
// provider's name of it. Vectors are asked for as the API's default. dropped
// names members that only another dialect knows.
func EncodeEmbeddings(request *wire.EmbeddingRequest, model string) (body []byte, lost []string, err error) {
	if len(request.Inputs) == 0 {
		return nil, nil, fault.InvalidField("inputs", "needs at least one entry")
	}
	e := turnEncoder{client: request.ExtraWire, wire: own, dropped: dropped.List{Client: request.ExtraWire}}
	e.Open('{')
	e.member("model")
	e.Str(model)
	e.member("input")
	single := len(request.Inputs) == 1 && request.Inputs[0].Tokens == nil
	if single {
		e.Str(request.Inputs[0].Text)
	} else {
		jsonbody.List(&e.Writer, request.Inputs, e.embeddingInput)
	}
	if request.Dimensions != nil {
		e.member("dimensions")
		e.Int(int64(*request.Dimensions))
	}
	if request.User != "" {
		e.member("user")
		e.Str(request.User)
	}
	if request.Truncate != nil {
		if request.ExtraWire == own {
			e.member("truncate")
			e.Truth(*request.Truncate)
		} else {
			e.dropped.Add(dropped.Truncate)
		}
	}
	e.extra(dropped.AtTurn, request.ExtraJSON, append(e.written, "encoding_format")...)
	e.Close('}')
	return e.B, e.dropped.Names, nil
}

func (e *turnEncoder) embeddingInput(input wire.EmbeddingInput) {
	if input.Tokens == nil {
		e.Str(input.Text)
		return
	}
	jsonbody.List(&e.Writer, input.Tokens, func(n int32) { e.Int(int64(n)) })
}

var embeddingKeys = jsonscan.NewKeys("index", "embedding")

var embeddingsKeys = jsonscan.NewKeys("data", "model", "usage", "error")

// DecodeEmbeddingAnswer decodes a provider's answer, with vectors of either
// form. Vectors are put in the order of their indexes.
func DecodeEmbeddingAnswer(body []byte) (*wire.EmbeddingAnswer, error) {
	found, err := jsonscan.Scan(body, embeddingsKeys, nil)
	if err != nil {
		return nil, protocol("the answer is not a JSON object", err)
	}
	if found[3].Present() && found[3].Kind != jsonscan.Null {
		return nil, providerError(body, 0)
	}
	if found[0].Kind != jsonscan.Array {
		return nil, protocol("the answer has no data", nil)
	}
	out := &wire.EmbeddingAnswer{Model: text(body, found[1])}
	if found[2].Kind == jsonscan.Object {
		out.Usage = decodeUsage(body, found[2])
	}
	var failed error
	err = jsonscan.ForEachElement(body, found[0].Value, func(m jsonscan.Member) bool {
		failed = placeVector(out, body, m)
		return failed == nil
	})
	if failed == nil && err != nil {
		failed = protocol("data cannot be read", err)
	}
	if failed != nil {
		return nil, failed
	}
	for i, vector := range out.Vectors {
		if vector == nil {
			return nil, protocol(fmt.Sprintf("the vector of input %d is missing", i), nil)
		}
	}
	return out, nil
}

// placeVector puts one entry of data in its place.
func placeVector(out *wire.EmbeddingAnswer, body []byte, m jsonscan.Member) error {
	var found [2]jsonscan.Member
	if _, err := jsonscan.ScanObject(body, m.Value, embeddingKeys, found[:]); err != nil {
		return protocol("an entry of data is not an object", err)
	}
	index := int64(len(out.Vectors))
	if found[0].Kind == jsonscan.Number {
		n, err := found[0].Int64(body)
		if err != nil || n < 0 || n >= 1<<20 {
			return protocol("the index of a vector is out of range", err)
		}
		index = n
	}
	vector, err := decodeVector(body, found[1])
	if err != nil {
		return err
	}
	for int64(len(out.Vectors)) <= index {
		out.Vectors = append(out.Vectors, nil)
	}
	if out.Vectors[index] != nil {
		return protocol("the index of a vector stands twice", nil)
	}
	out.Vectors[index] = vector
	return nil
}

func decodeVector(body []byte, m jsonscan.Member) ([]float32, error) {
	switch m.Kind {
	case jsonscan.String:
		encoded, err := m.Text(body)
		if err != nil {
			return nil, protocol("a vector cannot be read", err)
		}
		raw, err := inline.Base64(encoded)
		if err != nil || len(raw)%4 != 0 {
			return nil, protocol("a vector is not base64 of 32-bit floats", err)
		}
		vector := make([]float32, len(raw)/4)
		for i := range vector {
			vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		return vector, nil
	case jsonscan.Array:
		vector := make([]float32, 0, 1024)
		var failed error
		err := jsonscan.ForEachElement(body, m.Value, func(e jsonscan.Member) bool {
			var f float64
			f, failed = e.Float64(body)
			vector = append(vector, float32(f))
			return failed == nil
		})
		if failed == nil {
			failed = err
		}
		if failed != nil {
			return nil, protocol("a vector cannot be read", failed)
		}
		return vector, nil
	}
	return nil, protocol("a vector is neither an array nor base64", nil)
}

// EncodeEmbeddingAnswer makes the answer for a client. Model is the name that
// the client sees; empty means the answer's own. OpenAI's answers have no id;
// empty means none. What a number cannot show (NaN, infinities) is 0 with
// VectorFloat.
func EncodeEmbeddingAnswer(answer *wire.EmbeddingAnswer, format VectorFormat, model, id string) []byte {
	if model == "" {
		model = answer.Model
	}
	w := writer{}
	w.Open('{')
	if id != "" {
		w.StrField("id", id)
	}
	w.StrField("object", "list")
	w.Key("data")
	w.Open('[')
	for i, vector := range answer.Vectors {
		w.Open('{')
		w.StrField("object", "embedding")
		w.IntField("index", int64(i))
		w.Key("embedding")
		w.vector(vector, format)
		w.Close('}')
	}
	w.Close(']')
	w.StrField("model", model)
	usage := answer.Usage
	if usage == nil {
		usage = &conversationv1.Usage{}
	}
	w.Key("usage")
	w.Open('{')
	w.IntField("prompt_tokens", usage.GetInputTokens())
	w.IntField("total_tokens", usage.GetInputTokens()+usage.GetOutputTokens())
	if usage.GetSource() == conversationv1.UsageSource_USAGE_SOURCE_ESTIMATED {
		w.RawField("gptmesh", `{"usage_source":"estimated"}`)
	}
	w.Close('}')
	w.Close('}')
	return w.B
}

func (w *writer) vector(vector []float32, format VectorFormat) {
	if format == VectorFloat {
		jsonbody.List(&w.Writer, vector, func(f float32) {
			if f64 := float64(f); math.IsNaN(f64) || math.IsInf(f64, 0) {
				f = 0
			}
			w.Float32(f)
		})
		return
	}
	raw := make([]byte, 0, 4*len(vector))
	for _, f := range vector {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	w.Base64(raw)
}
