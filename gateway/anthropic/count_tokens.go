package anthropic

import (
	"net/http"
	"strconv"

	"github.com/gptmesh/gptmesh/gateway/edge"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	wireanthropic "github.com/gptmesh/gptmesh/wire/anthropic"
)

// countTokens serves /v1/messages/count_tokens.
func (f *face) countTokens(x *edge.Exchange) {
	body, err := x.Body()
	if err != nil {
		x.Fail(err)
		return
	}
	turn, err := wireanthropic.DecodeCountRequest(body)
	if err != nil {
		x.Fail(err)
		return
	}
	x.SetModel(turn.Model)
	resp, err := f.gpt.CountTokens(x.Context(), &gptv1.CountTokensRequest{Turn: turn})
	if err != nil {
		x.Fail(err)
		return
	}
	out := strconv.AppendInt([]byte(`{"input_tokens":`), resp.GetInputTokens(), 10)
	_ = x.JSON(http.StatusOK, append(out, '}'))
}
