// Package ollama calls Ollama's own API.
package ollama

import (
	"bytes"
	"context"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/services/gpt/provider/transport"
	codec "github.com/gptmesh/gptmesh/wire/ollama"
)

// Kind is the adapter's name.
const Kind = "ollama"

// Provider is one Ollama server. Use New.
type Provider struct {
	client *transport.Client
	quirks []string
}

var _ provider.Provider = (*Provider)(nil)

// New returns a provider. The base address takes the forms of OLLAMA_HOST.
func New(cfg transport.Config, quirks []string) (*Provider, error) {
	cfg.BaseURL = Address(cfg.BaseURL)
	client, err := transport.New(cfg)
	if err != nil {
		return nil, err
	}
	return &Provider{client: client, quirks: quirks}, nil
}

// Info implements provider.Provider.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: p.client.Name(), Kind: Kind, BaseURL: p.client.BaseURL(), Wire: conversationv1.Wire_WIRE_OLLAMA_CHAT,
		AlsoWires: []conversationv1.Wire{conversationv1.Wire_WIRE_OLLAMA_GENERATE},
	}
}

// Generate implements provider.Provider.
func (p *Provider) Generate(ctx context.Context, call *provider.Call, sink provider.Sink) error {
	return p.client.Generate(ctx, p, call, sink)
}

// Chat implements transport.Words. It goes to /api/generate where the turn came from
// there, or asks for what only that does: filling a gap, or a prompt without template.
func (p *Provider) Chat(call *provider.Call, chat *transport.Chat) error {
	chat.Codec, chat.Path, chat.Done = codec.Chat(), "/api/chat", done
	chat.Options.WantUsage, chat.Options.Quirks = true, p.quirks
	turn := call.Turn
	if turn.GetRaw().GetWire() == conversationv1.Wire_WIRE_OLLAMA_GENERATE || turn.GetRaw() == nil && (turn.Suffix != nil || turn.GetRawPrompt()) {
		chat.Codec, chat.Path = codec.Generate(), "/api/generate"
	}
	return nil
}

var (
	doneMark = []byte(`"done":true`)
	doneKeys = jsonscan.NewKeys("done")
)

// done says that a line is the last one.
func done(event *eventstream.Event) bool {
	if !bytes.Contains(event.Data, doneMark) {
		return false
	}
	var room [1]jsonscan.Member
	members, err := jsonscan.Scan(event.Data, doneKeys, room[:])
	return err == nil && members[0].Kind == jsonscan.True
}

// Embed implements provider.Provider.
func (p *Provider) Embed(ctx context.Context, call *provider.EmbedCall) (*gptv1.EmbedResponse, error) {
	body, dropped, err := codec.EncodeEmbedRequest(transport.EmbeddingRequest(call.Request), call.Model)
	if err != nil {
		return nil, provider.Unsent(err)
	}
	answer, err := p.client.Embed(ctx, "/api/embed", body, codec.DecodeEmbeddings)
	if err != nil {
		return nil, err
	}
	answer.DroppedFields = dropped
	return answer, nil
}
