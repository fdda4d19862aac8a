package openai

import (
	"bytes"
	"fmt"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// The members of a turn that are known, by position in a head.
const (
	atModel = iota
	atMessages
	atStream
	atStreamOptions
	atMaxTokens
	atMaxCompletionTokens
	atN
	atTemperature
	atTopP
	atPresencePenalty
	atFrequencyPenalty
	atLogprobs
	atTopLogprobs
	atTools
	atFunctions
	atUser
	atInput
	atStop
	atSeed
	atToolChoice
	atFunctionCall
	atParallelToolCalls
	atResponseFormat
	atReasoningEffort
	atLogitBias
	atTopK
	atMinP
	atRepeatPenalty
	knownMembers
)

var turnKeys = jsonscan.NewKeys(
	"model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n", "temperature", "top_p",
	"presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "tools", "functions", "user", "input", "stop", "seed",
	"tool_choice", "function_call", "parallel_tool_calls", "response_format", "reasoning_effort", "logit_bias",
	"top_k", "min_p", "repeat_penalty",
)

// head is where the known members of a body lie.
type head struct {
	body    []byte
	members [knownMembers]jsonscan.Member
}

// scan finds the known members and checks that the body is well-formed.
func (h *head) scan(body []byte) error {
	h.body = body
	if _, err := jsonscan.Scan(body, turnKeys, h.members[:]); err != nil {
		return jsonbody.ScanFault(err)
	}
	return nil
}

// at is the member at position i.
func (h *head) at(i int) *jsonbody.Value { return jsonbody.Bracketed(h.body).At(h.members[i]) }

func (h *head) given(i int) bool {
	kind := h.members[i].Kind
	return kind != jsonscan.Absent && kind != jsonscan.Null
}

// numberBounds are OpenAI's own bounds of numbers.
var numberBounds = []struct {
	at       int
	from, to float64
}{
	{atTemperature, 0, 2}, {atTopP, 0, 1}, {atPresencePenalty, -2, 2}, {atFrequencyPenalty, -2, 2},
}

// integerBounds are OpenAI's own bounds of whole numbers.
var integerBounds = []struct {
	at       int
	from, to int64
}{
	{atN, 1, 128}, {atTopLogprobs, 0, 20}, {atMaxTokens, 1, 1<<63 - 1}, {atMaxCompletionTokens, 1, 1<<63 - 1},
}

// check holds the members that rooms act on to the dialect's bounds.
func (h *head) check() error {
	if h.given(atInput) && !h.given(atMessages) {
		return jsonbody.Unsupported("input", "the body is one of /v1/responses; chat completions want messages")
	}
	if !h.given(atMessages) {
		return fault.InvalidField("messages", "is required")
	}
	if m := h.at(atMessages); m.Kind != jsonscan.Array {
		return m.Malformed("an array")
	} else if inside := m.Raw(h.body); len(bytes.TrimSpace(inside[1:len(inside)-1])) == 0 {
		return fault.InvalidField("messages", "needs at least one message")
	}
	if h.given(atModel) {
		if m := h.at(atModel); m.Kind != jsonscan.String {
			return m.Malformed("a string")
		} else if len(m.Raw(h.body)) == len(`""`) {
			return fault.InvalidField("model", "is empty")
		}
	}
	for _, bound := range numberBounds {
		if !h.given(bound.at) {
			continue
		}
		n, err := h.at(bound.at).Number()
		if err != nil {
			return err
		}
		if n < bound.from || n > bound.to {
			return fault.InvalidField(turnKeys.Name(bound.at), fmt.Sprintf("is %v; want %v to %v", n, bound.from, bound.to))
		}
	}
	for _, bound := range integerBounds {
		if !h.given(bound.at) {
			continue
		}
		n, err := h.at(bound.at).Integer()
		if err != nil {
			return err
		}
		switch {
		case n < bound.from && bound.to == 1<<63-1:
			return fault.InvalidField(turnKeys.Name(bound.at), fmt.Sprintf("is %d; want %d or more", n, bound.from))
		case n < bound.from || n > bound.to:
			return fault.InvalidField(turnKeys.Name(bound.at), fmt.Sprintf("is %d; want %d to %d", n, bound.from, bound.to))
		}
	}
	if h.given(atStreamOptions) && h.members[atStreamOptions].Kind != jsonscan.Object {
		return h.at(atStreamOptions).Malformed("an object")
	}
	return nil
}

// turn is the head as that of a turn.
func (h *head) turn() (*conversationv1.Turn, error) {
	turn := &conversationv1.Turn{}
	if err := h.fill(turn); err != nil {
		return nil, err
	}
	return turn, nil
}

// fill fills the head of a turn.
func (h *head) fill(turn *conversationv1.Turn) error {
	if err := h.check(); err != nil {
		return err
	}
	var err error
	if h.given(atModel) {
		if turn.Model, err = h.at(atModel).String(); err != nil {
			return err
		}
	}
	if h.given(atStream) {
		if turn.Stream, err = h.at(atStream).Truth(); err != nil {
			return err
		}
	}
	if h.given(atUser) {
		if turn.User, err = h.at(atUser).String(); err != nil {
			return err
		}
	}
	limit := atMaxCompletionTokens
	if !h.given(limit) {
		limit = atMaxTokens
	}
	if h.given(limit) {
		n, err := h.at(limit).Integer()
		if err != nil {
			return err
		}
		turn.MaxOutputTokens = &n
	}
	for _, i := range [...]int{atTools, atFunctions} {
		if !h.given(i) {
			continue
		}
		if h.members[i].Kind != jsonscan.Array {
			return h.at(i).Malformed("an array")
		}
		inside := h.members[i].Raw(h.body)
		turn.HasTools = turn.HasTools || len(bytes.TrimSpace(inside[1:len(inside)-1])) > 0
	}
	return nil
}
