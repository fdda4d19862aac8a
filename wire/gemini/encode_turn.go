package gemini

import (
	"slices"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// The quirks of models; doc.go tells what they mean.
const (
	quirkThinkingLevel     = "thinking_level"
	quirkThinkingAlways    = "thinking_always"
	quirkNoThinking        = "no_thinking"
	quirkSignedCalls       = "signed_calls"
	quirkMultimodalResults = "multimodal_results"
	quirkNoPenalties       = "no_penalties"
	quirkNoLogprobs        = "no_logprobs"
)

// Quirks are the names of those that this codec knows.
func Quirks() []string {
	return []string{
		quirkThinkingLevel,
		quirkThinkingAlways,
		quirkNoThinking,
		quirkSignedCalls,
		quirkMultimodalResults,
		quirkNoPenalties,
		quirkNoLogprobs,
	}
}

// EncodeTurn implements wire.Codec. Model and stream stand in the address: a
// typed half does not write them. With a raw half of this dialect the body stays
// but for a model that it names and a limit of tokens that the head changes.
// options.WantUsage changes nothing: the usage is always given.
func (codec) EncodeTurn(turn *conversationv1.Turn, options wire.TurnOptions) ([]byte, []string, error) {
	if raw := turn.GetRaw(); raw.GetWire() == own && len(raw.GetBody()) > 0 {
		body, err := spliceTurn(raw.GetBody(), turn, options)
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
	links   callLinks
	part    *conversationv1.ContentPart // the one being written
}

// keptExtra is what the turn's extra_json has of members that are written here.
type keptExtra struct{ config, thinking, toolConfig string }

func (e *turnEncoder) drop(field dropped.Field) { e.dropped.Add(field) }

func (e *turnEncoder) quirk(name string) bool { return slices.Contains(e.options.Quirks, name) }

// ours says whether extra members are of this dialect.
func (e *turnEncoder) ours() bool { return e.turn.GetExtraWire() == own }

func (e *turnEncoder) encode() {
	e.readExtra()
	e.w.Open('{')
	e.contents()
	e.tools()
	e.config()
	e.dropUnknown()
	if e.ours() {
		e.w.Extra(e.turn.GetExtraJson(), func(name string) bool {
			return name == "generationConfig" || name == "toolConfig"
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
		case "generationConfig":
			e.kept.config = m.JSON()
			return m.Members(func(name string, m *jsonbody.Value) error {
				if camel(name) == "thinkingConfig" {
					e.kept.thinking = m.JSON()
				}
				return nil
			})
		case "toolConfig":
			e.kept.toolConfig = m.JSON()
		}
		return nil
	})
}

// dropUnknown names what the dialect has no member for.
func (e *turnEncoder) dropUnknown() {
	s := e.turn.GetSampling()
	for _, lost := range []struct {
		field dropped.Field
		given bool
	}{
		{dropped.ParallelToolCalls, e.turn.ParallelToolCalls != nil && !e.turn.GetParallelToolCalls() && len(e.turn.GetTools()) > 0},
		{dropped.MinP, s != nil && s.MinP != nil},
		{dropped.RepeatPenalty, s != nil && s.RepeatPenalty != nil && s.GetRepeatPenalty() != 1},
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
