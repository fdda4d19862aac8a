package transport

import (
	"context"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/wire"
)

// Get reads the whole body at a path.
func (c *Client) Get(ctx context.Context, path string) ([]byte, error) {
	return c.exchange(ctx, "GET", path, nil)
}

// Post sends a body to a path and reads the whole answer. It is never sent
// twice.
func (c *Client) Post(ctx context.Context, path string, body []byte) ([]byte, error) {
	return c.exchange(ctx, "POST", path, body)
}

func (c *Client) exchange(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	target, err := c.Target(path)
	if err != nil {
		return nil, provider.Unreachable(c.cfg.Name, true, err)
	}
	return c.Whole(ctx, Request{Method: method, Target: target, Body: body, Once: method == "POST"})
}

// EmbeddingRequest is a demand for vectors as the codecs take it.
func EmbeddingRequest(req *gptv1.EmbedRequest) *wire.EmbeddingRequest {
	out := &wire.EmbeddingRequest{
		Dimensions: req.Dimensions, User: req.GetUser(), Truncate: req.Truncate,
		ExtraJSON: req.GetExtraJson(), ExtraWire: req.GetExtraWire(),
		Inputs: make([]wire.EmbeddingInput, 0, len(req.GetInputs())),
	}
	for _, input := range req.GetInputs() {
		one := wire.EmbeddingInput{Text: input.GetText()}
		if list := input.GetTokens(); list != nil {
			one.Tokens = list.GetIds()
		}
		out.Inputs = append(out.Inputs, one)
	}
	return out
}

// Embed sends a body for vectors and decodes the answer.
func (c *Client) Embed(ctx context.Context, path string, body []byte, decode func([]byte) (*wire.EmbeddingAnswer, error)) (*gptv1.EmbedResponse, error) {
	raw, err := c.Post(ctx, path, body)
	if err != nil {
		return nil, err
	}
	answer, err := decode(raw)
	if err != nil {
		return nil, c.codecError(err)
	}
	out := &gptv1.EmbedResponse{Model: answer.Model, Provider: c.cfg.Name, Usage: answer.Usage}
	for _, vector := range answer.Vectors {
		out.Embeddings = append(out.Embeddings, &gptv1.Embedding{Values: vector})
	}
	return out, nil
}
