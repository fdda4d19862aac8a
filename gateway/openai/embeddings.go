package openai

import (
	"fmt"
	"net/http"

	"github.com/gptmesh/gptmesh/gateway/answer"
	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/pkg/fault"
	wireopenai "github.com/gptmesh/gptmesh/wire/openai"
)

// embeddings turns texts into vectors.
func (f *face) embeddings(x *edge.Exchange) {
	body, err := x.Body()
	if err != nil {
		x.Fail(err)
		return
	}
	wanted, format, err := wireopenai.DecodeEmbeddings(body)
	if err != nil {
		x.Fail(err)
		return
	}
	if n := len(wanted.Inputs); n == 0 || n > answer.MaxEmbeddingInputs {
		x.Fail(fault.InvalidField("input", fmt.Sprintf("has %d items; want 1 to %d", n, answer.MaxEmbeddingInputs)))
		return
	}
	if deployment := x.Param(); deployment != "" {
		wanted.Model = deployment
	}
	x.SetModel(wanted.Model)
	resp, err := f.gpt.Embed(x.Context(), answer.EmbedRequest(wanted))
	if err != nil {
		x.Fail(err)
		return
	}
	answer.NameProvider(x.Header(), resp)
	id := ""
	if clientOf(x.Request().Header).mistral {
		id = x.RequestID()
	}
	_ = x.JSON(http.StatusOK, wireopenai.EncodeEmbeddingAnswer(answer.Vectors(resp), format, resp.GetModel(), id))
}
