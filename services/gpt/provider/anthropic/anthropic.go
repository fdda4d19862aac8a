// Package anthropic calls Anthropic's Messages API, and servers that speak it.
package anthropic

import (
	"context"
	"strings"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/services/gpt/provider/transport"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Kind is the adapter's name.
const Kind = "anthropic"

// Version is the API version sent: the only one since 2023-06-01. Source:
// https://platform.claude.com/docs/en/api/versioning.
const Version = "2023-06-01"

// Provider is one server of the Messages API. Use New.
type Provider struct {
	client *transport.Client
	codec  wire.Codec
	quirks []string
}

var _ provider.Provider = (*Provider)(nil)

// New returns a provider. The base address may end in /v1.
func New(cfg transport.Config, codec wire.Codec, quirks []string) (*Provider, error) {
	cfg.BaseURL = strings.TrimSuffix(strings.TrimRight(cfg.BaseURL, "/"), "/v1")
	if !cfg.Header.Has("Anthropic-Version") {
		cfg.Header = append(cfg.Header[:len(cfg.Header):len(cfg.Header)], upstream.Field{Name: "Anthropic-Version", Value: Version})
	}
	client, err := transport.New(cfg)
	if err != nil {
		return nil, err
	}
	return &Provider{client: client, codec: codec, quirks: quirks}, nil
}

// Info implements provider.Provider.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: p.client.Name(), Kind: Kind, BaseURL: p.client.BaseURL(), Wire: conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES,
	}
}

// Generate implements provider.Provider.
func (p *Provider) Generate(ctx context.Context, call *provider.Call, sink provider.Sink) error {
	return p.client.Generate(ctx, p, call, sink)
}

// Chat implements transport.Words.
func (p *Provider) Chat(call *provider.Call, chat *transport.Chat) error {
	chat.Codec, chat.Path, chat.Header = p.codec, "/v1/messages", betas(call.Turn)
	chat.Options.WantUsage, chat.Options.Quirks = true, p.quirks
	chat.Done = func(event *eventstream.Event) bool { return string(event.Name) == "message_stop" }
	return nil
}

// betas are what the client asked for beyond the version: it goes on with a raw
// turn, whose body may depend on it.
func betas(turn *conversationv1.Turn) upstream.Header {
	raw := turn.GetRaw()
	if raw.GetWire() != conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES || raw.GetHeaders()["anthropic-beta"] == "" {
		return nil
	}
	return upstream.Header{{Name: "Anthropic-Beta", Value: raw.GetHeaders()["anthropic-beta"]}}
}

// Embed implements provider.Provider: the API has no embeddings.
func (p *Provider) Embed(_ context.Context, call *provider.EmbedCall) (*gptv1.EmbedResponse, error) {
	return nil, provider.Unsupported(p.client.Name(), "model", "the provider "+p.client.Name()+" makes no embeddings")
}

// maxPages bounds how many pages of models are read.
const maxPages = 20

// Models implements provider.Provider.
func (p *Provider) Models(ctx context.Context) ([]*gptv1.Model, error) {
	var models []*gptv1.Model
	path := "/v1/models?limit=1000"
	for range maxPages {
		var page struct {
			Data []struct {
				ID             string    `json:"id"`
				DisplayName    string    `json:"display_name"`
				CreatedAt      time.Time `json:"created_at"`
				MaxInputTokens int64     `json:"max_input_tokens"`
				MaxTokens      int64     `json:"max_tokens"`
			} `json:"data"`
			HasMore bool   `json:"has_more"`
			LastID  string `json:"last_id"`
		}
		target, err := p.client.Target(path)
		if err != nil {
			return nil, provider.Unreachable(p.client.Name(), true, err)
		}
		if err := p.client.JSON(ctx, transport.Request{Method: "GET", Target: target}, &page); err != nil {
			return nil, err
		}
		for _, m := range page.Data {
			if m.ID == "" {
				continue
			}
			model := &gptv1.Model{
				ProviderModel: m.ID, DisplayName: m.DisplayName, OwnedBy: "anthropic",
				ContextLength: m.MaxInputTokens, MaxOutputTokens: m.MaxTokens,
			}
			if !m.CreatedAt.IsZero() {
				model.CreateTime = timestamppb.New(m.CreatedAt)
			}
			models = append(models, model)
		}
		if !page.HasMore || page.LastID == "" {
			break
		}
		path = "/v1/models?limit=1000&after_id=" + page.LastID
	}
	return models, nil
}
