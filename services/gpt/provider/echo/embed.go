package echo

import (
	"context"
	"hash/fnv"
	"math"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
)

const (
	defaultDimensions = 64
	maxDimensions     = 4096
)

// Embed implements provider.Provider: words are hashed into a vector of length
// 1, so texts that share words are near.
func (p *Provider) Embed(ctx context.Context, call *provider.EmbedCall) (*gptv1.EmbedResponse, error) {
	dimensions := defaultDimensions
	if d := call.Request.GetDimensions(); d > 0 {
		if d > maxDimensions {
			return nil, provider.Unsupported(Model, "dimensions", "the test model makes vectors of at most 4096 dimensions")
		}
		dimensions = int(d)
	}
	out := &gptv1.EmbedResponse{Model: Model, Provider: Model, Usage: &conversationv1.Usage{Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER}}
	for _, input := range call.Request.GetInputs() {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		words := strings.Fields(strings.ToLower(input.GetText()))
		for _, id := range input.GetTokens().GetIds() {
			words = append(words, itoa(int(id)))
		}
		out.Usage.InputTokens += int64(len(words))
		out.Embeddings = append(out.Embeddings, &gptv1.Embedding{Values: vector(words, dimensions)})
	}
	return out, nil
}

func vector(words []string, dimensions int) []float32 {
	values := make([]float32, dimensions)
	values[0] = 1e-6 // no words give a vector too
	for _, word := range words {
		h := fnv.New32a()
		h.Write([]byte(word))
		values[int(h.Sum32()%uint32(dimensions))]++
	}
	sum := 0.0
	for _, v := range values {
		sum += float64(v) * float64(v)
	}
	for i := range values {
		values[i] = float32(float64(values[i]) / math.Sqrt(sum))
	}
	return values
}
