package gemini

import (
	"context"
	"net/url"
	"slices"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/services/gpt/provider/transport"
	codec "github.com/gptmesh/gptmesh/wire/gemini"
)

// maxPages bounds how many pages of models are read.
const maxPages = 20

// page is one page of /v1beta/models.
type page struct {
	Models []struct {
		Name             string   `json:"name"`
		DisplayName      string   `json:"displayName"`
		InputTokenLimit  int64    `json:"inputTokenLimit"`
		OutputTokenLimit int64    `json:"outputTokenLimit"`
		Methods          []string `json:"supportedGenerationMethods"`
		Thinking         bool     `json:"thinking"`
	} `json:"models"`
	NextPageToken string `json:"nextPageToken"`
}

// Models implements provider.Provider: those that answer turns or make
// embeddings. The list does not tell of tools and pictures; the catalogue does.
func (p *Provider) Models(ctx context.Context) ([]*gptv1.Model, error) {
	var models []*gptv1.Model
	query := "?pageSize=1000"
	for range maxPages {
		target, err := p.client.Target(Version + "/models" + query)
		if err != nil {
			return nil, provider.Unreachable(p.client.Name(), true, err)
		}
		var page page
		if err := p.client.JSON(ctx, transport.Request{Method: "GET", Target: target}, &page); err != nil {
			return nil, refined(err)
		}
		for _, m := range page.Models {
			model := &gptv1.Model{
				ProviderModel: codec.ModelName(m.Name), DisplayName: m.DisplayName, OwnedBy: "google",
				ContextLength: m.InputTokenLimit, MaxOutputTokens: m.OutputTokenLimit,
			}
			switch {
			case m.Name == "":
				continue
			case slices.Contains(m.Methods, "generateContent"):
				if m.Thinking {
					// Every model that thinks takes tools, pictures and schemas as well.
					model.Capabilities = []gptv1.Capability{
						gptv1.Capability_CAPABILITY_CHAT, gptv1.Capability_CAPABILITY_TOOLS, gptv1.Capability_CAPABILITY_VISION,
						gptv1.Capability_CAPABILITY_REASONING, gptv1.Capability_CAPABILITY_JSON_SCHEMA, gptv1.Capability_CAPABILITY_FILES,
					}
				}
			case slices.Contains(m.Methods, "embedContent"):
				model.Capabilities = []gptv1.Capability{gptv1.Capability_CAPABILITY_EMBEDDING}
			default:
				continue
			}
			models = append(models, model)
		}
		if page.NextPageToken == "" {
			break
		}
		query = "?pageSize=1000&pageToken=" + url.QueryEscape(page.NextPageToken)
	}
	return models, nil
}
