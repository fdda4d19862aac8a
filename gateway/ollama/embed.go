package ollama

import (
	"fmt"
	"net/http"

	"github.com/gptmesh/gptmesh/gateway/answer"
	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	wireollama "github.com/gptmesh/gptmesh/wire/ollama"
)

// embed serves /api/embed.
func (f *face) embed(x *edge.Exchange) {
	began := x.Now()
	vectors, asked, err := f.vectors(x)
	if err != nil {
		x.Fail(err)
		return
	}
	_ = x.JSON(http.StatusOK, wireollama.EncodeEmbed(vectors, asked, x.Now().Sub(began)))
}

// embeddings serves the older /api/embeddings.
func (f *face) embeddings(x *edge.Exchange) {
	vectors, _, err := f.vectors(x)
	if err != nil {
		x.Fail(err)
		return
	}
	_ = x.JSON(http.StatusOK, wireollama.EncodeEmbeddings(vectors))
}

func (f *face) vectors(x *edge.Exchange) (vectors *wire.EmbeddingAnswer, asked string, err error) {
	body, err := x.Body()
	if err != nil {
		return nil, "", err
	}
	wanted, err := wireollama.DecodeEmbedRequest(body)
	if err != nil {
		return nil, "", err
	}
	asked = wanted.Model
	x.SetModel(asked)
	if len(wanted.Inputs) == 0 {
		// Ollama answers nothing with nothing, and clients try a model this way.
		_, err := f.model(x, asked)
		return &wire.EmbeddingAnswer{}, asked, err
	}
	if len(wanted.Inputs) > answer.MaxEmbeddingInputs {
		return nil, "", fault.InvalidField("input", fmt.Sprintf("it must have at most %d texts", answer.MaxEmbeddingInputs))
	}
	request := answer.EmbedRequest(wanted)
	request.Model = f.catalog.resolve(x.Context(), asked)
	resp, err := f.deps.GPT.Embed(x.Context(), request)
	if err != nil {
		return nil, "", notFoundAs(err, asked)
	}
	answer.NameProvider(x.Header(), resp)
	return answer.Vectors(resp), asked, nil
}
