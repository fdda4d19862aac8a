package responses

import (
	"context"
	"net/http"
	"strconv"

	"github.com/gptmesh/gptmesh/gateway/edge"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	wireresponses "github.com/gptmesh/gptmesh/wire/responses"
)

// inputTokens serves /v1/responses/input_tokens: the tokens that a turn would
// have, what goes before it included. Nothing is made or kept.
func (f *face) inputTokens(x *edge.Exchange) {
	turn, err := f.countable(x)
	if err != nil {
		x.Fail(err)
		return
	}
	x.SetModel(turn.GetModel())
	got, err := f.rooms.GPT.CountTokens(x.Context(), &gptv1.CountTokensRequest{Turn: turn})
	if err != nil {
		x.Fail(err)
		return
	}
	out := strconv.AppendInt([]byte(`{"object":"response.input_tokens","input_tokens":`), got.GetInputTokens(), 10)
	_ = x.JSON(http.StatusOK, append(out, '}'))
}

// countable reads a turn with its history.
func (f *face) countable(x *edge.Exchange) (*conversationv1.Turn, error) {
	body, err := x.Body()
	if err != nil {
		return nil, err
	}
	if _, err := wireresponses.EchoOf(body); err != nil { // checks that it is an object
		return nil, err
	}
	m, err := readMembers(body)
	if err != nil {
		return nil, err
	}
	input, err := f.resolve(x.Context(), m)
	if err != nil {
		return nil, err
	}
	if body, err = m.strip(input, m.previous != "" || m.conversation != ""); err != nil {
		return nil, err
	}
	turn, err := wireresponses.Codec().DecodeTurn(body)
	if err != nil {
		return nil, err
	}
	before, err := f.before(x.Context(), m)
	if err != nil {
		return nil, err
	}
	instructions, said := split(turn.GetMessages())
	messages := append(append([]*conversationv1.Message{}, instructions...), before...)
	if turn.Messages = append(messages, said...); len(turn.Messages) == 0 {
		return nil, fault.InvalidField("input", "needs at least one item")
	}
	return turn, nil
}

// before are the messages that go before a turn.
func (f *face) before(ctx context.Context, m *members) ([]*conversationv1.Message, error) {
	switch {
	case m.conversation != "":
		h, err := f.readSession(ctx, m.conversation)
		if err != nil {
			return nil, conversationFault(err, m.conversation)
		}
		return lasting(h.messages), nil
	case m.previous == "":
		return nil, nil
	}
	s, err := f.load(ctx, m.previous, noPrevious)
	if err != nil {
		return nil, err
	}
	if s.session() == "" {
		return nil, noPrevious(m.previous)
	}
	h, err := f.readSession(ctx, s.session())
	switch {
	case fault.Is(err, meshv1.ErrorReason_ERROR_REASON_SESSION_NOT_FOUND):
		return nil, noPrevious(m.previous)
	case err != nil:
		return nil, err
	}
	n := h.upTo(m.previous)
	if n == 0 {
		return nil, noPrevious(m.previous)
	}
	return lasting(h.messages[:n]), nil
}

// compact refuses /v1/responses/compact, which only OpenAI can make: its answer is
// encrypted.
func (f *face) compact(x *edge.Exchange) {
	x.Fail(refuse(http.StatusNotFound, "unknown_url", "", missing(http.MethodPost, x.Request().URL.Path)))
}
