package responses

import (
	"bytes"
	"fmt"
	"math"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// The members of a turn that are known, by position in a head.
const (
	atModel = iota
	atInput
	atInstructions
	atStream
	atMaxOutputTokens
	atTemperature
	atTopP
	atTopLogprobs
	atTools
	atToolChoice
	atParallelToolCalls
	atText
	atReasoning
	atUser
	atInclude
	atStore
	atPrompt
	atPreviousResponse
	atConversation
	knownMembers
)

var turnKeys = jsonscan.NewKeys(
	"model", "input", "instructions", "stream", "max_output_tokens", "temperature", "top_p", "top_logprobs", "tools", "tool_choice",
	"parallel_tool_calls", "text", "reasoning", "user", "include", "store", "prompt", "previous_response_id", "conversation",
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

// bounds are OpenAI's own bounds of numbers.
var bounds = []struct {
	at       int
	from, to float64
	whole    bool
}{
	{atTemperature, 0, 2, false}, {atTopP, 0, 1, false}, {atTopLogprobs, 0, 20, true}, {atMaxOutputTokens, 1, math.MaxInt64, true},
}

// check holds the members that rooms act on to the dialect's bounds.
func (h *head) check() error {
	if err := h.checkInput(); err != nil {
		return err
	}
	if h.given(atModel) {
		if model, err := h.at(atModel).String(); err != nil {
			return err
		} else if model == "" {
			return fault.InvalidField("model", "is empty")
		}
	}
	for _, bound := range bounds {
		if !h.given(bound.at) {
			continue
		}
		m := h.at(bound.at)
		if bound.whole {
			if _, err := m.Integer(); err != nil {
				return err
			}
		}
		n, err := m.Number()
		switch {
		case err != nil:
			return err
		case n < bound.from && bound.to == math.MaxInt64:
			return fault.InvalidField(m.Path(), fmt.Sprintf("is %v; want %v or more", n, bound.from))
		case n < bound.from || n > bound.to:
			return fault.InvalidField(m.Path(), fmt.Sprintf("is %v; want %v to %v", n, bound.from, bound.to))
		}
	}
	return nil
}

// checkInput asks for something to answer. What goes before it, and a stored
// prompt, is for others to judge.
func (h *head) checkInput() error {
	switch input := h.at(atInput); input.Kind {
	case jsonscan.String:
	case jsonscan.Array:
		inside := input.Raw(h.body)
		if len(bytes.TrimSpace(inside[1:len(inside)-1])) > 0 || h.elsewhere() {
			return nil
		}
		return fault.InvalidField("input", "needs at least one item")
	case jsonscan.Absent, jsonscan.Null:
		if !h.elsewhere() {
			return fault.InvalidField("input", "is required")
		}
	default:
		return input.Malformed("a string or an array of items")
	}
	return nil
}

// elsewhere says that the turn may get its messages from somewhere else.
func (h *head) elsewhere() bool {
	return h.given(atPrompt) || h.given(atPreviousResponse) || h.given(atConversation)
}

// turn fills the head of a turn.
func (h *head) turn() (*conversationv1.Turn, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	turn := &conversationv1.Turn{}
	var err error
	if h.given(atModel) {
		if turn.Model, err = h.at(atModel).String(); err != nil {
			return nil, err
		}
	}
	if h.given(atStream) {
		if turn.Stream, err = h.at(atStream).Truth(); err != nil {
			return nil, err
		}
	}
	if h.given(atUser) {
		if turn.User, err = h.at(atUser).String(); err != nil {
			return nil, err
		}
	}
	if h.given(atMaxOutputTokens) {
		n, err := h.at(atMaxOutputTokens).Integer()
		if err != nil {
			return nil, err
		}
		turn.MaxOutputTokens = &n
	}
	if h.given(atTools) {
		tools := h.at(atTools)
		if tools.Kind != jsonscan.Array {
			return nil, tools.Malformed("an array")
		}
		inside := tools.Raw(h.body)
		turn.HasTools = len(bytes.TrimSpace(inside[1:len(inside)-1])) > 0
	}
	return turn, nil
}

// ScanTurn implements wire.Codec.
func (codec) ScanTurn(body []byte) (*conversationv1.Turn, error) {
	var h head
	if err := h.scan(body); err != nil {
		return nil, err
	}
	turn, err := h.turn()
	if err != nil {
		return nil, err
	}
	turn.AcceptWire = own
	turn.Raw = &conversationv1.RawTurn{Wire: own, Body: body}
	return turn, nil
}
