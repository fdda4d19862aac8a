package openai

import (
	"fmt"
	"math"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// The members of a prompt's body that are known, by position.
const (
	ofModel = iota
	ofPrompt
	ofSuffix
	ofStream
	ofStreamOptions
	ofMaxTokens
	ofTemperature
	ofTopP
	ofN
	ofLogprobs
	ofEcho
	ofStop
	ofPresencePenalty
	ofFrequencyPenalty
	ofBestOf
	ofLogitBias
	ofSeed
	ofUser
	ofTopK
	ofMinP
	ofRepeatPenalty
	promptMembers
)

var promptKeys = jsonscan.NewKeys(
	"model", "prompt", "suffix", "stream", "stream_options", "max_tokens", "temperature", "top_p", "n", "logprobs", "echo", "stop",
	"presence_penalty", "frequency_penalty", "best_of", "logit_bias", "seed", "user", "top_k", "min_p", "repeat_penalty",
)

// promptHead is where the known members of a prompt's body lie.
type promptHead struct {
	body    []byte
	members [promptMembers]jsonscan.Member
}

func (h *promptHead) scan(body []byte) error {
	h.body = body
	if _, err := jsonscan.Scan(body, promptKeys, h.members[:]); err != nil {
		return jsonbody.ScanFault(err)
	}
	return nil
}

func (h *promptHead) at(i int) *jsonbody.Value { return jsonbody.Bracketed(h.body).At(h.members[i]) }

func (h *promptHead) given(i int) bool {
	kind := h.members[i].Kind
	return kind != jsonscan.Absent && kind != jsonscan.Null
}

// promptBounds are the bounds of numbers: OpenAI's own, but for logprobs, of
// which other servers give more than 5.
var promptBounds = []struct {
	at       int
	from, to float64
	whole    bool
}{
	{ofTemperature, 0, 2, false}, {ofTopP, 0, 1, false}, {ofPresencePenalty, -2, 2, false}, {ofFrequencyPenalty, -2, 2, false},
	{ofN, 1, wire.MaxChoices, true}, {ofLogprobs, 0, 20, true}, {ofMaxTokens, 1, math.MaxInt64, true}, {ofBestOf, 1, 20, true},
}

// check holds the members that rooms act on to the dialect's bounds.
func (h *promptHead) check() error {
	if _, err := h.prompt(); err != nil {
		return err
	}
	if h.given(ofModel) {
		if model, err := h.at(ofModel).String(); err != nil {
			return err
		} else if model == "" {
			return fault.InvalidField("model", "is empty")
		}
	}
	for _, bound := range promptBounds {
		if !h.given(bound.at) {
			continue
		}
		n, err := 0.0, error(nil)
		if bound.whole {
			var whole int64
			whole, err = h.at(bound.at).Integer()
			n = float64(whole)
		} else {
			n, err = h.at(bound.at).Number()
		}
		if err != nil {
			return err
		}
		switch {
		case n < bound.from && bound.to == math.MaxInt64:
			return fault.InvalidField(promptKeys.Name(bound.at), fmt.Sprintf("is %v; want %v or more", n, bound.from))
		case n < bound.from || n > bound.to:
			return fault.InvalidField(promptKeys.Name(bound.at), fmt.Sprintf("is %v; want %v to %v", n, bound.from, bound.to))
		}
	}
	if h.given(ofBestOf) {
		if n, err := h.at(ofBestOf).Integer(); err == nil && n > 1 {
			return jsonbody.Unsupported("best_of", "several answers are not made to choose one of them; ask with n")
		}
	}
	if h.given(ofStreamOptions) && h.members[ofStreamOptions].Kind != jsonscan.Object {
		return h.at(ofStreamOptions).Malformed("an object")
	}
	return nil
}

// prompt is the one text of a prompt: a string, or an array of one.
func (h *promptHead) prompt() (string, error) {
	if !h.given(ofPrompt) {
		return "", fault.InvalidField("prompt", "is required")
	}
	prompts, err := h.prompts(1)
	if err != nil {
		return "", err
	}
	return prompts[0].String()
}

// prompts are the texts of a prompt: at least one, at most limit.
func (h *promptHead) prompts(limit int) (texts []*jsonbody.Value, err error) {
	m := h.at(ofPrompt)
	if m.Kind == jsonscan.String {
		return []*jsonbody.Value{m}, nil
	}
	if m.Kind != jsonscan.Array {
		return nil, m.Malformed("a string or an array of strings")
	}
	err = m.Elements(func(_ int, e *jsonbody.Value) error {
		switch {
		case e.Kind == jsonscan.Number || e.Kind == jsonscan.Array:
			return jsonbody.Unsupported("prompt", "token ids are not taken, since models number their tokens differently; send text")
		case e.Kind != jsonscan.String:
			return e.Malformed("a string")
		case len(texts) == limit:
			return fault.InvalidField("prompt", fmt.Sprintf("has more than %d texts", limit))
		}
		texts = append(texts, e)
		return nil
	})
	if err == nil && len(texts) == 0 {
		err = fault.InvalidField("prompt", "needs at least one text")
	}
	return texts, err
}

// turn fills the head of a turn.
func (h *promptHead) turn() (*conversationv1.Turn, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	turn := &conversationv1.Turn{}
	var err error
	if h.given(ofModel) {
		if turn.Model, err = h.at(ofModel).String(); err != nil {
			return nil, err
		}
	}
	if h.given(ofStream) {
		if turn.Stream, err = h.at(ofStream).Truth(); err != nil {
			return nil, err
		}
	}
	if h.given(ofUser) {
		if turn.User, err = h.at(ofUser).String(); err != nil {
			return nil, err
		}
	}
	if h.given(ofMaxTokens) {
		n, err := h.at(ofMaxTokens).Integer()
		if err != nil {
			return nil, err
		}
		turn.MaxOutputTokens = &n
	}
	return turn, nil
}
