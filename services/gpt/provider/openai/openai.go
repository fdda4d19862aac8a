// Package openai calls every server that speaks OpenAI's chat completions. How
// servers differ is data: address, header and quirks come from the catalogue.
package openai

import (
	"context"
	"slices"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/services/gpt/provider/transport"
	codec "github.com/gptmesh/gptmesh/wire/openai"
	"github.com/gptmesh/gptmesh/wire/responses"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Kind is the adapter's name.
const Kind = "openai"

// Provider is one OpenAI-compatible server. Use New.
type Provider struct {
	client *transport.Client
	quirks []string
}

var _ provider.Provider = (*Provider)(nil)

// The quirks of servers, beside those of wire/openai.
const (
	// quirkCompletions: /completions takes prompts and gaps for every model.
	quirkCompletions = "completions"
	// quirkPrompts: /completions takes prompts for every model, but no suffix.
	quirkPrompts = "prompts"
	// quirkBetaCompletions is the same below /beta (DeepSeek).
	quirkBetaCompletions = "beta_completions"
	// quirkFIM: gaps are filled at /fim/completions, answered like chat (Mistral).
	quirkFIM = "fim_completions"
	// quirkResponses: turns of the dialect of /responses go to /responses.
	quirkResponses = "responses"
)

// Quirks are the names of all that servers may have.
func Quirks() []string {
	return append(codec.Quirks(), quirkCompletions, quirkPrompts, quirkBetaCompletions, quirkFIM, quirkResponses)
}

// New returns a provider. Quirks are those of wire/openai, and: completions (the
// server has /completions, for prompts and gaps, whatever the model), prompts (the
// same without gaps, which are refused then), beta_completions (as completions,
// below /beta), fim_completions (gaps go to /fim/completions), responses (turns
// that came in the dialect of /responses go there, with all that only it can say).
// Without them /completions is called for models that are known to fill gaps.
func New(cfg transport.Config, quirks []string) (*Provider, error) {
	client, err := transport.New(cfg)
	if err != nil {
		return nil, err
	}
	return &Provider{client: client, quirks: quirks}, nil
}

// Info implements provider.Provider.
func (p *Provider) Info() provider.Info {
	info := provider.Info{
		Name: p.client.Name(), Kind: Kind, BaseURL: p.client.BaseURL(), Wire: conversationv1.Wire_WIRE_OPENAI_CHAT,
	}
	if p.quirk(quirkCompletions) || p.quirk(quirkBetaCompletions) {
		info.AlsoWires = append(info.AlsoWires, conversationv1.Wire_WIRE_OPENAI_COMPLETIONS)
	}
	if p.quirk(quirkResponses) {
		info.AlsoWires = append(info.AlsoWires, conversationv1.Wire_WIRE_OPENAI_RESPONSES)
	}
	return info
}

func (p *Provider) quirk(name string) bool { return slices.Contains(p.quirks, name) }

// Generate implements provider.Provider.
func (p *Provider) Generate(ctx context.Context, call *provider.Call, sink provider.Sink) error {
	return p.client.Generate(ctx, p, call, sink)
}

// Chat implements transport.Words. A prompt that is no conversation, a gap to fill, or a
// turn in the dialect of responses goes to the server's door for that where it has one.
func (p *Provider) Chat(call *provider.Call, chat *transport.Chat) error {
	chat.Options.WantUsage, chat.Options.Quirks = true, p.quirks
	if p.respond(call.Turn) {
		chat.Codec, chat.Path, chat.Done = responses.Codec(), "/responses", responded
		return nil
	}
	chat.Codec, chat.Path, chat.Options.AskedUsage = codec.Chat(), "/chat/completions", &chat.AskedUsage
	chat.Done = func(event *eventstream.Event) bool { return string(event.Data) == "[DONE]" }
	turn := call.Turn
	raw := turn.GetRaw().GetWire() == conversationv1.Wire_WIRE_OPENAI_COMPLETIONS
	gap := turn.GetRaw() == nil && turn.Suffix != nil
	switch {
	case gap && p.quirk(quirkPrompts):
		return provider.Unsupported(p.client.Name(), "suffix", "the provider "+p.client.Name()+" takes no suffix: it fills no gaps")
	case !raw && !gap && (turn.GetRaw() != nil || !turn.GetRawPrompt()):
	case gap && p.quirk(quirkFIM):
		chat.Codec, chat.Path = codec.FIM(), "/fim/completions"
	case p.quirk(quirkBetaCompletions):
		chat.Codec, chat.Path = codec.Completions(), "/beta/completions"
	case raw || p.quirk(quirkCompletions) || p.quirk(quirkPrompts) || call.FillInMiddle && !p.quirk(quirkFIM):
		chat.Codec, chat.Path = codec.Completions(), "/completions"
	}
	if chat.Codec != codec.Chat() {
		chat.AskedUsage, chat.Options.AskedUsage = codec.AsksUsage(turn), nil
	}
	return nil
}

// respond says that a turn goes to /responses.
func (p *Provider) respond(turn *conversationv1.Turn) bool {
	from := turn.GetExtraWire()
	if turn.GetRaw() != nil {
		from = turn.GetRaw().GetWire()
	}
	return from == conversationv1.Wire_WIRE_OPENAI_RESPONSES && p.quirk(quirkResponses)
}

// responded says that an event is the last one of a stream of /responses.
func responded(event *eventstream.Event) bool {
	switch string(event.Name) {
	case "response.completed", "response.incomplete", "response.failed":
		return true
	}
	return false
}

// Embed implements provider.Provider.
func (p *Provider) Embed(ctx context.Context, call *provider.EmbedCall) (*gptv1.EmbedResponse, error) {
	body, dropped, err := codec.EncodeEmbeddings(transport.EmbeddingRequest(call.Request), call.Model)
	if err != nil {
		return nil, provider.Unsent(err)
	}
	answer, err := p.client.Embed(ctx, "/embeddings", body, codec.DecodeEmbeddingAnswer)
	if err != nil {
		return nil, err
	}
	answer.DroppedFields = dropped
	return answer, nil
}

// Models implements provider.Provider.
func (p *Provider) Models(ctx context.Context) ([]*gptv1.Model, error) {
	body, err := p.client.Get(ctx, "/models")
	if err != nil {
		return nil, err
	}
	listed, err := codec.DecodeModels(body)
	if err != nil {
		return nil, provider.Protocol(p.client.Name(), err)
	}
	models := make([]*gptv1.Model, 0, len(listed))
	for i := range listed {
		models = append(models, model(&listed[i]))
	}
	return models, nil
}

func model(m *codec.Model) *gptv1.Model {
	out := &gptv1.Model{
		// Google's list says "models/gemini-…", its calls take both.
		ProviderModel: strings.TrimPrefix(m.ID, "models/"), DisplayName: m.Name, OwnedBy: m.OwnedBy,
		ContextLength: m.ContextLength, MaxOutputTokens: m.MaxOutputTokens,
	}
	if !m.Created.IsZero() {
		out.CreateTime = timestamppb.New(m.Created)
	}
	for _, has := range []struct {
		it         bool
		capability gptv1.Capability
	}{
		{m.ToolCalling, gptv1.Capability_CAPABILITY_TOOLS},
		{m.Vision, gptv1.Capability_CAPABILITY_VISION},
		{m.Thinking, gptv1.Capability_CAPABILITY_REASONING},
	} {
		if has.it {
			out.Capabilities = append(out.Capabilities, has.capability)
		}
	}
	if len(out.Capabilities) > 0 {
		out.Capabilities = append([]gptv1.Capability{gptv1.Capability_CAPABILITY_CHAT}, out.Capabilities...)
	}
	return out
}
