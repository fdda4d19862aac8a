package bedrock

import (
	"context"
	"encoding/json"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/services/gpt/provider/transport"
	"golang.org/x/sync/errgroup"
)

const (
	// cohereBatch is how many texts one call of Cohere's models takes. Source:
	// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html, 2026-11.
	cohereBatch = 96
	// titanCalls is how many calls of Titan, which takes one text each, are
	// under way at once.
	titanCalls = 4
)

// Embed implements provider.Provider, for Amazon's Titan and Cohere's models:
// Bedrock has no one API for vectors.
func (p *Provider) Embed(ctx context.Context, call *provider.EmbedCall) (*gptv1.EmbedResponse, error) {
	out := &gptv1.EmbedResponse{Provider: p.runtime.Name()}
	var texts []string
	for _, input := range call.Request.GetInputs() {
		if input.GetTokens() != nil {
			return nil, provider.Unsupported(p.runtime.Name(), "inputs", "the provider "+p.runtime.Name()+" takes texts, not token ids")
		}
		texts = append(texts, input.GetText())
	}
	for _, field := range []struct {
		name  string
		given bool
	}{
		{"user", call.Request.GetUser() != ""}, {"truncate", call.Request.Truncate != nil}, {"extra_json", call.Request.GetExtraJson() != ""},
	} {
		if field.given {
			out.DroppedFields = append(out.DroppedFields, field.name)
		}
	}
	var err error
	switch {
	case strings.Contains(call.Model, "amazon.titan-embed-text"):
		err = p.titan(ctx, call, texts, out)
	case strings.Contains(call.Model, "cohere.embed"):
		err = p.cohere(ctx, call, texts, out)
	default:
		err = provider.Unsupported(p.runtime.Name(), "model", "vectors of this model cannot be asked for; use a Titan or Cohere model")
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (p *Provider) titan(ctx context.Context, call *provider.EmbedCall, texts []string, out *gptv1.EmbedResponse) error {
	type request struct {
		Text       string `json:"inputText"`
		Dimensions *int32 `json:"dimensions,omitempty"`
	}
	dimensions := call.Request.Dimensions
	if dimensions != nil && strings.Contains(call.Model, "-v1") {
		dimensions = nil
		out.DroppedFields = append(out.DroppedFields, "dimensions")
	}
	out.Embeddings = make([]*gptv1.Embedding, len(texts))
	counts := make([]int64, len(texts))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(titanCalls)
	for i, text := range texts {
		group.Go(func() error {
			var answer struct {
				Embedding []float32 `json:"embedding"`
				Tokens    int64     `json:"inputTextTokenCount"`
			}
			if err := p.invoke(ctx, call.Model, request{text, dimensions}, &answer); err != nil {
				return err
			}
			out.Embeddings[i], counts[i] = &gptv1.Embedding{Values: answer.Embedding}, answer.Tokens
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	out.Usage = &conversationv1.Usage{Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER}
	for _, n := range counts {
		out.Usage.InputTokens += n
	}
	return nil
}

func (p *Provider) cohere(ctx context.Context, call *provider.EmbedCall, texts []string, out *gptv1.EmbedResponse) error {
	type request struct {
		Texts []string `json:"texts"`
		// Kind is demanded; documents are what most texts are.
		Kind  string   `json:"input_type"`
		Types []string `json:"embedding_types"`
		Size  *int32   `json:"output_dimension,omitempty"`
	}
	size := call.Request.Dimensions
	if size != nil && strings.Contains(call.Model, "-v3") {
		size = nil
		out.DroppedFields = append(out.DroppedFields, "dimensions")
	}
	for len(texts) > 0 {
		batch := texts[:min(len(texts), cohereBatch)]
		texts = texts[len(batch):]
		var answer struct {
			Embeddings struct {
				Float [][]float32 `json:"float"`
			} `json:"embeddings"`
		}
		if err := p.invoke(ctx, call.Model, request{batch, "search_document", []string{"float"}, size}, &answer); err != nil {
			return err
		}
		for _, vector := range answer.Embeddings.Float {
			out.Embeddings = append(out.Embeddings, &gptv1.Embedding{Values: vector})
		}
	}
	return nil
}

// invoke makes one call of InvokeModel.
func (p *Provider) invoke(ctx context.Context, model string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return provider.Unsent(err)
	}
	target, err := p.runtime.Target(path(model, "invoke"))
	if err != nil {
		return provider.Unreachable(p.runtime.Name(), true, err)
	}
	return p.refined(p.runtime.JSON(ctx, transport.Request{Method: "POST", Target: target, Body: body, Once: true}, out))
}
