package openai

import (
	"maps"
	"slices"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

func (e *turnEncoder) number(name string, value *float64) {
	if value != nil {
		e.member(name)
		e.Float(*value)
	}
}

func (e *turnEncoder) sampling() error {
	if e.turn.MaxOutputTokens != nil {
		e.member(limitName(e.options))
		e.Int(e.turn.GetMaxOutputTokens())
		e.written = append(e.written, "max_tokens", "max_completion_tokens")
	}
	s := e.turn.GetSampling()
	if s == nil {
		return nil
	}
	e.common(s)
	if s.GetLogprobs() {
		e.member("logprobs")
		e.Truth(true)
	}
	if s.TopLogprobs != nil {
		e.member("top_logprobs")
		e.Int(int64(s.GetTopLogprobs()))
	}
	e.logitBias(s)
	return nil
}

// common writes the sampling that chat and legacy completions share.
func (e *turnEncoder) common(s *conversationv1.Sampling) {
	e.number("temperature", s.Temperature)
	e.number("top_p", s.TopP)
	e.number("presence_penalty", s.PresencePenalty)
	e.number("frequency_penalty", s.FrequencyPenalty)
	e.extended(s)
	if s.Seed != nil {
		e.member("seed")
		e.Int(s.GetSeed())
	}
	if len(s.GetStop()) > 0 {
		e.member("stop")
		e.Strings(s.GetStop())
	}
	if s.ChoiceCount != nil {
		e.member("n")
		e.Int(int64(s.GetChoiceCount()))
	}
}

func (e *turnEncoder) logitBias(s *conversationv1.Sampling) {
	if len(s.GetLogitBias()) == 0 {
		return
	}
	e.member("logit_bias")
	e.Open('{')
	for _, token := range slices.Sorted(maps.Keys(s.GetLogitBias())) {
		e.FloatField(token, s.GetLogitBias()[token])
	}
	e.Close('}')
}

// extended writes what OpenAI itself does not take.
func (e *turnEncoder) extended(s *conversationv1.Sampling) {
	name := "repeat_penalty"
	if e.quirk(quirkRepetitionPenalty) {
		name = "repetition_penalty"
	}
	if e.client == e.wire || e.quirk(quirkExtendedSampling) || e.quirk(quirkRepetitionPenalty) {
		if s.TopK != nil {
			e.member("top_k")
			e.Int(int64(s.GetTopK()))
		}
		e.number("min_p", s.MinP)
		e.number(name, s.RepeatPenalty)
		return
	}
	if s.TopK != nil {
		e.drop(dropped.TopK)
	}
	if s.MinP != nil {
		e.drop(dropped.MinP)
	}
	if s.RepeatPenalty != nil {
		e.drop(dropped.RepeatPenalty)
	}
}

func (e *turnEncoder) format() error {
	format := e.turn.GetResponseFormat()
	switch format.GetKind() {
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_TEXT:
		e.member("response_format")
		e.Raw(`{"type":"text"}`)
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_OBJECT:
		e.member("response_format")
		e.Raw(`{"type":"json_object"}`)
	case conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA:
		e.member("response_format")
		e.Raw(`{"type":"json_schema","json_schema":{`)
		name := format.GetName()
		if name == "" {
			name = "answer" // The dialect demands one.
		}
		e.StrField("name", name)
		if format.GetDescription() != "" {
			e.StrField("description", format.GetDescription())
		}
		if format.GetSchemaJson() != "" {
			e.Key("schema")
			if err := e.checked("response_format.schema_json", format.GetSchemaJson()); err != nil {
				return err
			}
		}
		if format.Strict != nil {
			e.TruthField("strict", format.GetStrict())
		}
		e.Close('}')
		e.Close('}')
	}
	return nil
}

// rest writes what is left: reasoning, user, stream, and extra members.
func (e *turnEncoder) rest() error {
	e.reasoningOptions(e.turn.GetReasoning())
	if e.turn.GetUser() != "" {
		e.member("user")
		e.Str(e.turn.GetUser())
	}
	if e.turn.Suffix != nil {
		e.drop(dropped.Suffix)
	}
	if e.turn.GetRawPrompt() {
		e.drop(dropped.RawPrompt)
	}
	return e.ending()
}

// ending writes stream, stream_options and extra members, and ends the body.
func (e *turnEncoder) ending() error {
	e.member("stream")
	e.Truth(e.options.Stream)
	if err := e.streamOptions(); err != nil {
		return err
	}
	if json := e.turn.GetExtraJson(); json != "" {
		if _, err := jsonscan.Scan([]byte(json), noKeys, nil); err != nil {
			return fault.InvalidField("turn.extra_json", "is not a JSON object").WithCause(err)
		}
	}
	skip := e.written
	if e.ofOpenAI() {
		skip = append(skip, "stream_options")
	}
	e.extra(dropped.AtTurn, e.turn.GetExtraJson(), skip...)
	e.Close('}')
	return nil
}

// ofOpenAI says that the client's dialect has stream_options.
func (e *turnEncoder) ofOpenAI() bool { return e.client == own || e.client == completionsWire }

func (e *turnEncoder) reasoningOptions(r *conversationv1.ReasoningOptions) {
	if effort := r.GetEffort(); effort != "" {
		if effort == "max" && e.client != own { // Ollama's word for the most.
			effort = "high"
		}
		e.member("reasoning_effort")
		e.Str(effort)
	} else if r != nil && r.Enabled != nil {
		e.drop(dropped.Thinking)
	}
	if r != nil && r.BudgetTokens != nil {
		e.drop(dropped.Budget)
	}
}

func (e *turnEncoder) streamOptions() error {
	if !e.options.Stream || e.quirk(quirkNoStreamOptions) {
		return nil
	}
	given := ""
	if e.ofOpenAI() {
		forEachExtra(e.turn.GetExtraJson(), func(name, value string) {
			if name == "stream_options" {
				given = value
			}
		})
	}
	options, err := streamOptions([]byte(given), e.options.WantUsage)
	if err != nil || options == nil {
		return err
	}
	e.member("stream_options")
	e.Raw(string(options))
	return nil
}

// streamOptions adds what the mesh wants to the client's stream_options, which
// may be empty. Nil means that there is nothing to send.
func streamOptions(given []byte, wantUsage bool) ([]byte, error) {
	switch {
	case !wantUsage && (len(given) == 0 || given[0] != '{'):
		return nil, nil
	case !wantUsage:
		return given, nil
	case len(given) == 0 || given[0] != '{':
		return []byte(`{"include_usage":true}`), nil
	}
	found, err := jsonscan.Scan(given, streamOptionsKeys, nil)
	if err != nil {
		return nil, jsonbody.ScanFault(err)
	}
	if found[0].Kind == jsonscan.True {
		return given, nil
	}
	edited, err := jsonscan.Splice(nil, given, jsonscan.Edit{At: found[0], Key: "include_usage", Value: []byte("true")})
	if err != nil {
		return nil, fault.Internal(err)
	}
	return edited, nil
}
