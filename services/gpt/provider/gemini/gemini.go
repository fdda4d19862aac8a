// Package gemini calls Google's Gemini API, and servers that speak it.
package gemini

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/services/gpt/provider/transport"
	codec "github.com/gptmesh/gptmesh/wire/gemini"
)

// Kind is the adapter's name.
const Kind = "gemini"

// Version is the API's version that is called, as a part of addresses. The
// stable one lacks JSON schemas and thoughts. Source:
// https://ai.google.dev/gemini-api/docs/api-versions, 2026-11.
const Version = "/v1beta"

// Provider is one server of the Gemini API. Use New.
type Provider struct {
	client *transport.Client
	quirks []string
}

var _ provider.Provider = (*Provider)(nil)

// New returns a provider. The base address may end in /v1beta. Quirks are those
// of wire/gemini.
func New(cfg transport.Config, quirks []string) (*Provider, error) {
	cfg.BaseURL = strings.TrimSuffix(strings.TrimRight(cfg.BaseURL, "/"), Version)
	client, err := transport.New(cfg)
	if err != nil {
		return nil, err
	}
	return &Provider{client: client, quirks: quirks}, nil
}

// Info implements provider.Provider.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: p.client.Name(), Kind: Kind, BaseURL: p.client.BaseURL(), Wire: conversationv1.Wire_WIRE_GEMINI_GENERATE,
	}
}

// path is the address of a model's method.
func path(model, method string) string {
	folder, name, _ := strings.Cut(codec.ModelPath(model), "/")
	return Version + "/" + url.PathEscape(folder) + "/" + url.PathEscape(name) + ":" + method
}

// Generate implements provider.Provider.
func (p *Provider) Generate(ctx context.Context, call *provider.Call, sink provider.Sink) error {
	return refined(p.client.Generate(ctx, p, call, sink))
}

// Chat implements transport.Words.
func (p *Provider) Chat(call *provider.Call, chat *transport.Chat) error {
	method := "generateContent"
	if call.Turn.GetStream() {
		method = "streamGenerateContent?alt=sse"
	}
	chat.Codec, chat.Path = codec.Generate(), path(call.Model, method)
	chat.Options.Quirks = slices.Concat(p.quirks, quirksOf(call.Model))
	return nil
}

// quirksOf are those of a model by its generation, so that models which the
// catalogue does not know yet can be called: from the third on, levels take the
// place of budgets and calls need their signatures.
func quirksOf(model string) []string {
	name, ok := strings.CutPrefix(codec.ModelName(model), "gemini-")
	if !ok {
		return nil
	}
	end := strings.IndexFunc(name, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(name)
	}
	if generation, err := strconv.Atoi(name[:end]); err != nil || generation < 3 {
		return nil
	}
	return []string{"thinking_level", "signed_calls", "multimodal_results"}
}

// Embed implements provider.Provider. More inputs than one call takes are sent
// in several, one behind the other.
func (p *Provider) Embed(ctx context.Context, call *provider.EmbedCall) (*gptv1.EmbedResponse, error) {
	request := transport.EmbeddingRequest(call.Request)
	out := &gptv1.EmbedResponse{Provider: p.client.Name()}
	for rest := request.Inputs; len(rest) > 0; rest = rest[len(request.Inputs):] {
		request.Inputs = rest[:min(len(rest), codec.MaxEmbeddings)]
		body, lost, err := codec.EncodeEmbeddings(request, call.Model)
		if err != nil {
			return nil, provider.Unsent(err)
		}
		answer, err := p.client.Embed(ctx, path(call.Model, "batchEmbedContents"), body, codec.DecodeEmbeddingAnswer)
		if err != nil {
			return nil, refined(err)
		}
		out.Embeddings = append(out.Embeddings, answer.GetEmbeddings()...)
		out.DroppedFields = lost
		out.Usage = sum(out.GetUsage(), answer.GetUsage())
	}
	return out, nil
}

func sum(a, b *conversationv1.Usage) *conversationv1.Usage {
	if a == nil || b == nil {
		return b
	}
	a.InputTokens += b.GetInputTokens()
	return a
}
