package answer

import (
	"net/http"
	"strings"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/wire"
)

// MaxEmbeddingInputs is how many inputs one request may have; the contract's
// bound.
const MaxEmbeddingInputs = 2048

// EmbedRequest makes the call of a face's request.
func EmbedRequest(wanted *wire.EmbeddingRequest) *gptv1.EmbedRequest {
	request := &gptv1.EmbedRequest{
		Model: wanted.Model, Dimensions: wanted.Dimensions, User: wanted.User, Truncate: wanted.Truncate,
		ExtraJson: wanted.ExtraJSON, ExtraWire: wanted.ExtraWire,
		Inputs: make([]*gptv1.EmbedInput, 0, len(wanted.Inputs)),
	}
	for _, input := range wanted.Inputs {
		made := &gptv1.EmbedInput{Kind: &gptv1.EmbedInput_Text{Text: input.Text}}
		if input.Tokens != nil {
			made.Kind = &gptv1.EmbedInput_Tokens{Tokens: &gptv1.TokenList{Ids: input.Tokens}}
		}
		request.Inputs = append(request.Inputs, made)
	}
	return request
}

// Vectors are what a call of the gpt room gave.
func Vectors(resp *gptv1.EmbedResponse) *wire.EmbeddingAnswer {
	out := &wire.EmbeddingAnswer{Model: resp.GetModel(), Usage: resp.GetUsage(), Vectors: make([][]float32, 0, len(resp.GetEmbeddings()))}
	for _, e := range resp.GetEmbeddings() {
		out.Vectors = append(out.Vectors, e.GetValues())
	}
	return out
}

// NameProvider writes who embedded, and what it could not take.
func NameProvider(h http.Header, resp *gptv1.EmbedResponse) {
	var a answerHeaders
	a.set(h, headerModel, resp.GetModel())
	a.set(h, headerProvider, resp.GetProvider())
	a.set(h, headerDropped, strings.Join(resp.GetDroppedFields(), ", "))
}
