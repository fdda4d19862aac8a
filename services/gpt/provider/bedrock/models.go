package bedrock

import (
	"context"
	"net/url"
	"slices"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/services/gpt/provider/transport"
)

// maxPages bounds how many pages of inference profiles are read.
const maxPages = 20

// Models implements provider.Provider: the foundation models that can be called
// by their own names, and the inference profiles, which newer models need. Where
// profiles cannot be listed, the models are enough.
func (p *Provider) Models(ctx context.Context) ([]*gptv1.Model, error) {
	var list struct {
		Summaries []struct {
			ID         string   `json:"modelId"`
			Name       string   `json:"modelName"`
			Maker      string   `json:"providerName"`
			Input      []string `json:"inputModalities"`
			Output     []string `json:"outputModalities"`
			Inferences []string `json:"inferenceTypesSupported"`
		} `json:"modelSummaries"`
	}
	if err := p.get(ctx, "/foundation-models", &list); err != nil {
		return nil, err
	}
	var models []*gptv1.Model
	chats := map[string]*gptv1.Model{} // by ARN's last part
	for _, s := range list.Summaries {
		model := &gptv1.Model{ProviderModel: s.ID, DisplayName: s.Name, OwnedBy: s.Maker}
		switch {
		case s.ID == "":
			continue
		case slices.Contains(s.Output, "EMBEDDING"):
			model.Capabilities = []gptv1.Capability{gptv1.Capability_CAPABILITY_EMBEDDING}
		case slices.Contains(s.Output, "TEXT"):
			model.Capabilities = []gptv1.Capability{gptv1.Capability_CAPABILITY_CHAT}
			if slices.Contains(s.Input, "IMAGE") {
				model.Capabilities = append(model.Capabilities, gptv1.Capability_CAPABILITY_VISION)
			}
			chats[s.ID] = model
		default:
			continue
		}
		if slices.Contains(s.Inferences, "ON_DEMAND") {
			models = append(models, model)
		}
	}
	return append(models, p.profiles(ctx, chats)...), nil
}

// profiles lists the inference profiles of models that answer turns.
func (p *Provider) profiles(ctx context.Context, chats map[string]*gptv1.Model) (models []*gptv1.Model) {
	path := "/inference-profiles?maxResults=1000"
	for range maxPages {
		var page struct {
			Summaries []struct {
				ID     string `json:"inferenceProfileId"`
				Name   string `json:"inferenceProfileName"`
				Status string `json:"status"`
				Models []struct {
					ARN string `json:"modelArn"`
				} `json:"models"`
			} `json:"inferenceProfileSummaries"`
			Next string `json:"nextToken"`
		}
		if p.get(ctx, path, &page) != nil {
			return models
		}
		for _, s := range page.Summaries {
			if s.ID == "" || s.Status != "ACTIVE" || len(s.Models) == 0 {
				continue
			}
			of := chats[lastPart(s.Models[0].ARN)]
			if of == nil {
				continue
			}
			models = append(models, &gptv1.Model{
				ProviderModel: s.ID, DisplayName: s.Name, OwnedBy: of.GetOwnedBy(), Capabilities: slices.Clone(of.GetCapabilities()),
			})
		}
		if page.Next == "" {
			break
		}
		path = "/inference-profiles?maxResults=1000&nextToken=" + url.QueryEscape(page.Next)
	}
	return models
}

// lastPart is what stands behind the last slash of an ARN: the model's id.
func lastPart(arn string) string {
	for i := len(arn) - 1; i >= 0; i-- {
		if arn[i] == '/' {
			return arn[i+1:]
		}
	}
	return arn
}

func (p *Provider) get(ctx context.Context, path string, out any) error {
	target, err := p.control.Target(path)
	if err != nil {
		return provider.Unreachable(p.control.Name(), true, err)
	}
	return p.refined(p.control.JSON(ctx, transport.Request{Method: "GET", Target: target}, out))
}
