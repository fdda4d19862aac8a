package anthropic

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/signer"
)

// The quirks of providers; doc.go tells what they mean.
const (
	quirkNoOutputConfig    = "no_output_config"
	quirkAdaptiveThinking  = "adaptive_thinking"
	quirkTemperatureOrTopP = "temperature_or_top_p"
	quirkNoSampling        = "no_sampling"
)

// Quirks are the names of those that this codec knows.
func Quirks() []string {
	return []string{
		quirkNoOutputConfig,
		quirkAdaptiveThinking,
		quirkTemperatureOrTopP,
		quirkNoSampling,
	}
}

// defaultMaxTokens is the limit where neither turn nor caller has one.
const defaultMaxTokens = 4096

// EncodeTurn implements wire.Codec. With a raw half of this dialect the body
// stays but for model, stream and max_tokens, which are written as options and
// head say. options.WantUsage changes nothing: the usage is always given.
//
// A raw body with a thought that nobody signed, or another provider, is encoded anew, without that
// thought: such thoughts come of answers of other providers, and Anthropic
// refuses them.
func (c codec) EncodeTurn(turn *conversationv1.Turn, options wire.TurnOptions) ([]byte, []string, error) {
	if raw := turn.GetRaw(); raw.GetWire() == own && len(raw.GetBody()) > 0 {
		if !hasUnsigned(raw.GetBody()) {
			body, err := spliceTurn(raw.GetBody(), turn, options)
			return body, nil, err
		}
		typed, err := c.DecodeTurn(raw.GetBody())
		if err != nil {
			return nil, nil, err
		}
		if limit := turn.GetMaxOutputTokens(); limit > 0 {
			typed.MaxOutputTokens = &limit
		}
		turn = typed
	}
	e := &turnEncoder{turn: turn, options: options, dropped: dropped.List{Client: turn.GetExtraWire()}}
	e.encode()
	return e.w.B, e.dropped.Names, nil
}

// hasUnsigned says whether a body may hold a thought with an empty signature, or
// with one of another provider's.
// Within a text the quotes would be escaped.
func hasUnsigned(body []byte) bool {
	for rest := body; ; {
		_, after, found := bytes.Cut(rest, []byte(`"signature"`))
		if !found {
			return false
		}
		value := bytes.TrimLeft(after, ": \t\r\n")
		if bytes.HasPrefix(value, []byte(`""`)) || bytes.HasPrefix(value, []byte(signer.Foreign)) {
			return true
		}
		rest = after
	}
}

// spliceTurn writes the members that the mesh acts on into a client's body.
func spliceTurn(body []byte, turn *conversationv1.Turn, options wire.TurnOptions) ([]byte, error) {
	h, err := scan(body)
	if err != nil {
		return nil, err
	}
	edits := []jsonscan.Edit{
		{At: h.at[keyModel], Key: "model", Value: jsonscan.AppendString(nil, options.Model)},
		{At: h.at[keyStream], Key: "stream", Value: strconv.AppendBool(nil, options.Stream)},
	}
	if limit := turn.GetMaxOutputTokens(); limit > 0 && (h.limit == nil || *h.limit != limit) {
		edits = append(edits, jsonscan.Edit{At: h.at[keyMaxTokens], Key: "max_tokens", Value: strconv.AppendInt(nil, limit, 10)})
	}
	out, err := jsonscan.Splice(nil, body, edits...)
	if err != nil {
		return nil, fault.Internal(err)
	}
	return out, nil
}

// turnEncoder encodes one typed half.
type turnEncoder struct {
	turn    *conversationv1.Turn
	options wire.TurnOptions
	w       writer
	dropped dropped.List
	limit   int64
	kept    keptExtra

	calls int // tool calls seen
	open  []openCall
}

// keptExtra is what the turn's extra_json has of members that are written here.
type keptExtra struct{ thinking, outputConfig, metadata string }

func (e *turnEncoder) drop(field dropped.Field) { e.dropped.Add(field) }

func (e *turnEncoder) quirk(name string) bool { return slices.Contains(e.options.Quirks, name) }

// ours says whether extra members are of this dialect.
func (e *turnEncoder) ours() bool { return e.turn.GetExtraWire() == own }

func (e *turnEncoder) encode() {
	e.readExtra()
	e.limit = e.turn.GetMaxOutputTokens()
	if e.limit <= 0 {
		e.limit = e.options.DefaultMaxOutputTokens
	}
	if e.limit <= 0 {
		e.limit = defaultMaxTokens
	}
	think := e.planThinking()
	e.w.Open('{')
	e.w.StrField("model", e.options.Model)
	e.w.IntField("max_tokens", e.limit)
	e.messages()
	e.tools()
	e.sampling(think)
	think.write(&e.w)
	e.outputConfig(think)
	e.metadata()
	e.w.Key("stream")
	e.w.Truth(e.options.Stream)
	e.dropUnknown()
	if e.ours() {
		e.w.Extra(e.turn.GetExtraJson(), func(name string) bool {
			return name == "thinking" || name == "output_config" || name == "metadata"
		})
	} else {
		e.dropped.Extra(dropped.AtTurn, e.turn.GetExtraJson())
	}
	e.w.Close('}')
}

func (e *turnEncoder) readExtra() {
	if !e.ours() || e.turn.GetExtraJson() == "" {
		return
	}
	_ = jsonbody.Whole([]byte(e.turn.GetExtraJson())).Members(func(name string, m *jsonbody.Value) error {
		switch name {
		case "thinking":
			e.kept.thinking = m.JSON()
		case "output_config":
			e.kept.outputConfig = m.JSON()
		case "metadata":
			e.kept.metadata = m.JSON()
		}
		return nil
	})
}

// sampling writes what steers the choice of tokens, as far as the API takes it.
func (e *turnEncoder) sampling(think thinking) {
	s := e.turn.GetSampling()
	if len(s.GetStop()) > 0 {
		e.stop(s.GetStop())
	}
	if s == nil {
		return
	}
	temperature, topP, topK := s.Temperature, s.TopP, s.TopK
	if temperature != nil && *temperature > 1 {
		one := 1.0
		temperature = &one
		e.drop(dropped.Temperature)
	}
	if e.quirk(quirkTemperatureOrTopP) && temperature != nil && topP != nil {
		topP = nil
		e.drop(dropped.TopP)
	}
	if think.on() || e.quirk(quirkNoSampling) {
		if temperature != nil && (*temperature != 1 || e.quirk(quirkNoSampling)) {
			temperature = nil
			e.drop(dropped.Temperature)
		}
		if topP != nil && (*topP < 0.95 || e.quirk(quirkNoSampling)) {
			topP = nil
			e.drop(dropped.TopP)
		}
		if topK != nil {
			topK = nil
			e.drop(dropped.TopK)
		}
	}
	if temperature != nil {
		e.w.Key("temperature")
		e.w.Float(*temperature)
	}
	if topP != nil {
		e.w.Key("top_p")
		e.w.Float(*topP)
	}
	if topK != nil && *topK > 0 {
		e.w.IntField("top_k", int64(*topK))
	}
}

// stop writes the stop texts; the API refuses blank ones.
func (e *turnEncoder) stop(list []string) {
	var kept []string
	for _, text := range list {
		if strings.TrimSpace(text) == "" {
			e.drop(dropped.Stop)
			continue
		}
		kept = append(kept, text)
	}
	if len(kept) > 0 {
		e.w.Key("stop_sequences")
		e.w.Strings(kept)
	}
}

// outputConfig writes the form of the answer and the effort.
func (e *turnEncoder) outputConfig(think thinking) {
	o, formatted := writer{jsonbody.Writer{B: []byte{'{'}}}, false
	switch f := e.turn.GetResponseFormat(); f.GetKind() {
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_OBJECT:
		e.drop(dropped.ResponseFormat)
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA:
		if e.quirk(quirkNoOutputConfig) || !jsonObject(f.GetSchemaJson()) {
			e.drop(dropped.ResponseFormat)
			break
		}
		formatted = true
		o.Key("format")
		o.Open('{')
		o.StrField("type", "json_schema")
		o.RawField("schema", f.GetSchemaJson())
		o.Close('}')
	}
	if think.effort != "" {
		o.StrField("effort", think.effort)
	}
	o.Extra(e.kept.outputConfig, func(name string) bool {
		return name == "effort" && think.effort != "" || name == "format" && formatted
	})
	if len(o.B) > 1 {
		o.Close('}')
		e.w.RawField("output_config", string(o.B))
	}
}

func (e *turnEncoder) metadata() {
	m := writer{jsonbody.Writer{B: []byte{'{'}}}
	if e.turn.GetUser() != "" {
		m.StrField("user_id", e.turn.GetUser())
	}
	m.Extra(e.kept.metadata, func(name string) bool { return name == "user_id" && e.turn.GetUser() != "" })
	if len(m.B) > 1 {
		m.Close('}')
		e.w.RawField("metadata", string(m.B))
	}
}

// dropUnknown names what the dialect has no member for.
func (e *turnEncoder) dropUnknown() {
	s := e.turn.GetSampling()
	for _, lost := range []struct {
		field dropped.Field
		given bool
	}{
		{dropped.ChoiceCount, s.GetChoiceCount() > 1},
		{dropped.Seed, s != nil && s.Seed != nil},
		{dropped.MinP, s != nil && s.MinP != nil},
		{dropped.PresencePenalty, s.GetPresencePenalty() != 0},
		{dropped.FrequencyPenalty, s.GetFrequencyPenalty() != 0},
		{dropped.RepeatPenalty, s != nil && s.RepeatPenalty != nil && s.GetRepeatPenalty() != 1},
		{dropped.Logprobs, s.GetLogprobs()},
		{dropped.TopLogprobs, s.GetTopLogprobs() > 0},
		{dropped.LogitBias, len(s.GetLogitBias()) > 0},
		{dropped.Suffix, e.turn.Suffix != nil},
		{dropped.RawPrompt, e.turn.GetRawPrompt()},
	} {
		if lost.given {
			e.drop(lost.field)
		}
	}
}

// jsonObject tells whether text is one JSON object.
func jsonObject(text string) bool {
	if !strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") {
		return false
	}
	_, err := jsonscan.Scan([]byte(text), noKeys, nil)
	return err == nil
}

var noKeys = jsonscan.NewKeys()

// argumentsObject makes the object that the dialect wants of a call's
// arguments. No arguments are {}. What is no JSON object goes, whole, into the
// member raw_arguments, and ok is false.
func argumentsObject(arguments string) (object string, ok bool) {
	if strings.TrimSpace(arguments) == "" {
		return "{}", true
	}
	if jsonObject(arguments) {
		return strings.TrimSpace(arguments), true
	}
	b := append([]byte(`{"raw_arguments":`), jsonscan.AppendString(nil, arguments)...)
	return string(append(b, '}')), false
}
