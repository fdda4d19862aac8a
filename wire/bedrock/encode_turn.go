package bedrock

import (
	"slices"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// The quirks of models; doc.go tells what they mean.
const (
	quirkClaude            = "claude"
	quirkAdaptiveThinking  = "adaptive_thinking"
	quirkTemperatureOrTopP = "temperature_or_top_p"
	quirkNova              = "nova"
	quirkNovaReasoning     = "nova_reasoning"
	quirkReasoningEffort   = "reasoning_effort"
	quirkStructuredOutput  = "structured_output"
)

// Quirks are the names of those that this codec knows.
func Quirks() []string {
	return []string{
		quirkClaude,
		quirkAdaptiveThinking,
		quirkTemperatureOrTopP,
		quirkNova,
		quirkNovaReasoning,
		quirkReasoningEffort,
		quirkStructuredOutput,
	}
}

// EncodeTurn implements wire.Codec. Model and stream stand in the address. With
// a raw half of this dialect the body stays but for a limit of tokens that the
// head changes. options.WantUsage changes nothing: the usage is always given.
func (codec) EncodeTurn(turn *conversationv1.Turn, options wire.TurnOptions) ([]byte, []string, error) {
	if raw := turn.GetRaw(); raw.GetWire() == own && len(raw.GetBody()) > 0 {
		body, err := spliceTurn(raw.GetBody(), turn)
		return body, nil, err
	}
	e := &turnEncoder{turn: turn, options: options, dropped: dropped.List{Client: turn.GetExtraWire()}}
	e.encode()
	return e.w.B, e.dropped.Names, nil
}

// turnEncoder encodes one typed half.
type turnEncoder struct {
	turn    *conversationv1.Turn
	options wire.TurnOptions
	w       jsonbody.Writer
	dropped dropped.List
	kept    keptExtra
	limit   int64
	part    *conversationv1.ContentPart // the one being written
	names   map[string]bool             // of documents
	calls   int                         // tool calls seen
	open    []openCall
	called  []string // names of the tools called, each once
	talks   bool     // the history holds calls or results
}

// keptExtra is what the turn's extra_json has of members that are written here.
type keptExtra struct{ config, toolConfig, output, fields string }

func (e *turnEncoder) drop(field dropped.Field) { e.dropped.Add(field) }

func (e *turnEncoder) quirk(name string) bool { return slices.Contains(e.options.Quirks, name) }

// ours says whether extra members are of this dialect.
func (e *turnEncoder) ours() bool { return e.turn.GetExtraWire() == own }

func (e *turnEncoder) encode() {
	e.readExtra()
	e.limit = e.turn.GetMaxOutputTokens()
	think := e.planThinking()
	e.w.Open('{')
	e.messages()
	e.config(think)
	e.toolConfig()
	e.outputConfig()
	e.fields(think)
	e.dropUnknown()
	if e.ours() {
		e.w.Extra(e.turn.GetExtraJson(), func(name string) bool {
			return name == "inferenceConfig" || name == "toolConfig" || name == "outputConfig" || name == "additionalModelRequestFields"
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
		case "inferenceConfig":
			e.kept.config = m.JSON()
		case "toolConfig":
			e.kept.toolConfig = m.JSON()
		case "outputConfig":
			e.kept.output = m.JSON()
		case "additionalModelRequestFields":
			e.kept.fields = m.JSON()
		}
		return nil
	})
}

// config writes inferenceConfig.
func (e *turnEncoder) config(think thinking) {
	c := jsonbody.Writer{}
	c.Open('{')
	if e.limit > 0 {
		c.IntField("maxTokens", e.limit)
	}
	s := e.turn.GetSampling()
	if s != nil {
		temperature, topP := s.Temperature, s.TopP
		if temperature != nil && *temperature > 1 {
			one := 1.0
			temperature = &one
			e.drop(dropped.Temperature)
		}
		if e.quirk(quirkTemperatureOrTopP) && temperature != nil && topP != nil {
			topP = nil
			e.drop(dropped.TopP)
		}
		if think.on() { // A Claude that thinks takes none, and only a high topP.
			if temperature != nil && *temperature != 1 {
				temperature = nil
				e.drop(dropped.Temperature)
			}
			if topP != nil && *topP < 0.95 {
				topP = nil
				e.drop(dropped.TopP)
			}
		}
		if temperature != nil {
			c.FloatField("temperature", *temperature)
		}
		if topP != nil {
			c.FloatField("topP", *topP)
		}
		e.stop(&c, s.GetStop())
	}
	c.Extra(e.kept.config, nil)
	if len(c.B) > 1 {
		c.Close('}')
		e.w.RawField("inferenceConfig", string(c.B))
	}
}

// stop writes the stop texts; the API refuses blank ones.
func (e *turnEncoder) stop(c *jsonbody.Writer, list []string) {
	var kept []string
	for _, text := range list {
		if strings.TrimSpace(text) == "" {
			e.drop(dropped.Stop)
			continue
		}
		kept = append(kept, text)
	}
	if len(kept) > 0 {
		c.Key("stopSequences")
		c.Strings(kept)
	}
}

// outputConfig writes the form of the answer, whose schema is a string here.
func (e *turnEncoder) outputConfig() {
	if e.kept.output != "" {
		e.w.RawField("outputConfig", e.kept.output)
		return
	}
	f := e.turn.GetResponseFormat()
	switch f.GetKind() {
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_OBJECT:
		e.drop(dropped.ResponseFormat)
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA:
		if !e.ours() && !e.quirk(quirkStructuredOutput) || !jsonbody.IsObject(f.GetSchemaJson()) {
			e.drop(dropped.ResponseFormat)
			return
		}
		e.w.Key("outputConfig")
		e.w.Open('{')
		e.w.Key("textFormat")
		e.w.Open('{')
		e.w.StrField("type", "json_schema")
		e.w.Key("structure")
		e.w.Open('{')
		e.w.Key("jsonSchema")
		e.w.Open('{')
		e.w.StrField("schema", f.GetSchemaJson())
		if f.GetName() != "" {
			e.w.StrField("name", f.GetName())
		}
		if f.GetDescription() != "" {
			e.w.StrField("description", f.GetDescription())
		}
		for range 4 {
			e.w.Close('}')
		}
	}
}

// fields writes additionalModelRequestFields: what only one maker's models have.
func (e *turnEncoder) fields(think thinking) {
	f := jsonbody.Writer{}
	f.Open('{')
	if e.kept.fields == "" {
		think.write(&f)
		if k := e.turn.GetSampling().GetTopK(); k > 0 {
			switch {
			case e.quirk(quirkClaude) && !think.on():
				f.IntField("top_k", int64(k))
			case e.quirk(quirkNova):
				f.Key("inferenceConfig")
				f.Open('{')
				f.IntField("topK", int64(k))
				f.Close('}')
			default:
				e.drop(dropped.TopK)
			}
		}
	}
	f.Extra(e.kept.fields, nil)
	if len(f.B) > 1 {
		f.Close('}')
		e.w.RawField("additionalModelRequestFields", string(f.B))
	}
}

// dropUnknown names what the dialect has no member for.
func (e *turnEncoder) dropUnknown() {
	s := e.turn.GetSampling()
	for _, lost := range []struct {
		field dropped.Field
		given bool
	}{
		{dropped.ParallelToolCalls, e.turn.ParallelToolCalls != nil && !e.turn.GetParallelToolCalls() && len(e.turn.GetTools()) > 0},
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
		{dropped.User, e.turn.GetUser() != ""},
	} {
		if lost.given {
			e.drop(lost.field)
		}
	}
}
