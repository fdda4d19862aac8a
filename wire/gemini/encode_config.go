package gemini

import (
	"math"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// maxStops is how many stop texts the API takes.
const maxStops = 5

// config writes generationConfig.
func (e *turnEncoder) config() {
	c := jsonbody.Writer{}
	c.Open('{')
	if limit := e.turn.GetMaxOutputTokens(); limit > 0 {
		c.IntField("maxOutputTokens", limit)
	}
	e.sampling(&c)
	e.format(&c)
	if e.kept.thinking == "" {
		if thinking := e.thinking(); thinking != "" {
			c.RawField("thinkingConfig", thinking)
		}
	}
	c.Extra(e.kept.config, nil)
	if len(c.B) > 1 {
		c.Close('}')
		e.w.RawField("generationConfig", string(c.B))
	}
}

func (e *turnEncoder) sampling(c *jsonbody.Writer) {
	s := e.turn.GetSampling()
	if s == nil {
		return
	}
	if stop := s.GetStop(); len(stop) > 0 {
		if len(stop) > maxStops {
			stop = stop[:maxStops]
			e.drop(dropped.Stop)
		}
		c.Key("stopSequences")
		c.Strings(stop)
	}
	if s.Temperature != nil {
		c.FloatField("temperature", s.GetTemperature())
	}
	if s.TopP != nil {
		c.FloatField("topP", s.GetTopP())
	}
	if s.GetTopK() > 0 {
		c.IntField("topK", int64(s.GetTopK()))
	}
	if s.Seed != nil {
		if seed := s.GetSeed(); seed < math.MinInt32 || seed > math.MaxInt32 {
			e.drop(dropped.Seed)
		} else {
			c.IntField("seed", seed)
		}
	}
	if s.GetChoiceCount() > 1 {
		c.IntField("candidateCount", int64(s.GetChoiceCount()))
	}
	e.penalty(c, "presencePenalty", dropped.PresencePenalty, s.GetPresencePenalty())
	e.penalty(c, "frequencyPenalty", dropped.FrequencyPenalty, s.GetFrequencyPenalty())
	if s.GetLogprobs() {
		if e.quirk(quirkNoLogprobs) {
			e.drop(dropped.Logprobs)
			return
		}
		c.TruthField("responseLogprobs", true)
		if s.GetTopLogprobs() > 0 {
			c.IntField("logprobs", int64(s.GetTopLogprobs()))
		}
	}
}

// penalty writes a penalty; none is not worth an error of models that take none.
func (e *turnEncoder) penalty(c *jsonbody.Writer, member string, field dropped.Field, value float64) {
	switch {
	case value == 0:
	case e.quirk(quirkNoPenalties):
		e.drop(field)
	default:
		c.FloatField(member, value)
	}
}

func (e *turnEncoder) format(c *jsonbody.Writer) {
	switch f := e.turn.GetResponseFormat(); f.GetKind() {
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_TEXT:
		if e.ours() {
			c.StrField("responseMimeType", "text/plain")
		}
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_OBJECT:
		c.StrField("responseMimeType", "application/json")
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA:
		c.StrField("responseMimeType", "application/json")
		if !jsonbody.IsObject(f.GetSchemaJson()) {
			e.drop(dropped.ResponseFormat)
			return
		}
		c.RawField("responseJsonSchema", f.GetSchemaJson())
	}
}
