package ollama

import (
	"context"
	"slices"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	codec "github.com/gptmesh/gptmesh/wire/ollama"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// maxShown is how many models are asked about one by one, and maxShowing how
// many at once. Further ones are known by their names alone.
const (
	maxShown   = 64
	maxShowing = 4
)

// Models implements provider.Provider: the list, what is in memory, and the
// card of each model whose abilities the list does not tell. Where the latter
// two fail the list is enough.
func (p *Provider) Models(ctx context.Context) ([]*gptv1.Model, error) {
	body, err := p.client.Get(ctx, "/api/tags")
	if err != nil {
		return nil, err
	}
	cards, err := codec.DecodeTags(body)
	if err != nil {
		return nil, provider.Protocol(p.client.Name(), err)
	}
	loaded := p.loaded(ctx)
	var group errgroup.Group
	group.SetLimit(maxShowing)
	for i := range cards[:min(len(cards), maxShown)] {
		if len(cards[i].Capabilities) > 0 && cards[i].ContextLength > 0 {
			continue
		}
		group.Go(func() error {
			if body, err := p.client.Post(ctx, "/api/show", codec.EncodeShowRequest(cards[i].Name)); err == nil {
				_ = codec.DecodeShow(body, &cards[i]) // what cannot be read stays unknown
			}
			return nil
		})
	}
	_ = group.Wait()
	models := make([]*gptv1.Model, 0, len(cards))
	for i := range cards {
		model := model(&cards[i])
		model.Loaded = slices.Contains(loaded, model.GetProviderModel())
		models = append(models, model)
	}
	return models, nil
}

func (p *Provider) loaded(ctx context.Context) (names []string) {
	body, err := p.client.Get(ctx, "/api/ps")
	if err != nil {
		return nil
	}
	running, err := codec.DecodeRunning(body)
	if err != nil {
		return nil
	}
	for i := range running {
		names = append(names, running[i].Name)
	}
	return names
}

func model(card *codec.ModelCard) *gptv1.Model {
	out := &gptv1.Model{
		ProviderModel: card.Name, DisplayName: card.DisplayName, ContextLength: card.ContextLength,
		EmbeddingLength: card.EmbeddingLength, Family: card.Family, ParameterSize: card.ParameterSize,
		Quantization: card.Quantization, SizeBytes: card.Size, Digest: card.Digest, OwnedBy: "ollama",
	}
	if !card.ModifiedAt.IsZero() {
		out.CreateTime = timestamppb.New(card.ModifiedAt)
	}
	for _, word := range card.Capabilities {
		switch word {
		case "completion":
			// Ollama itself holds answers to a schema, whatever the model.
			out.Capabilities = append(out.Capabilities, gptv1.Capability_CAPABILITY_CHAT, gptv1.Capability_CAPABILITY_JSON_SCHEMA)
		case "tools":
			out.Capabilities = append(out.Capabilities, gptv1.Capability_CAPABILITY_TOOLS)
		case "vision":
			out.Capabilities = append(out.Capabilities, gptv1.Capability_CAPABILITY_VISION)
		case "thinking":
			out.Capabilities = append(out.Capabilities, gptv1.Capability_CAPABILITY_REASONING)
		case "embedding":
			out.Capabilities = append(out.Capabilities, gptv1.Capability_CAPABILITY_EMBEDDING)
		case "insert":
			out.Capabilities = append(out.Capabilities, gptv1.Capability_CAPABILITY_FILL_IN_MIDDLE)
		case "audio":
			out.Capabilities = append(out.Capabilities, gptv1.Capability_CAPABILITY_AUDIO)
		}
	}
	return out
}
