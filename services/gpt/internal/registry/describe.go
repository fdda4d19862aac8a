package registry

import (
	"strings"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt/internal/catalog"
	"google.golang.org/protobuf/proto"
)

// describe fills in what the provider's list did not tell: first from the
// catalogue, last from the configuration.
func (r *Registry) describe(entry *Entry, listed *gptv1.Model) *gptv1.Model {
	m := proto.Clone(listed).(*gptv1.Model)
	m.Provider, m.Wire = entry.Info.Name, entry.Info.Wire
	// A server at another address may call anything by a known name.
	if known := r.cfg.Catalog.Model(entry.Descriptor.Name, m.GetProviderModel()); known != nil && entry.Official {
		fill(m, known, r.cfg.Catalog)
	}
	if len(m.GetCapabilities()) == 0 {
		m.Capabilities = guess(m.GetProviderModel())
	}
	if r.cfg.Override != nil {
		r.cfg.Override(entry.Info.Name, m)
	}
	if m.GetDisplayName() == "" {
		m.DisplayName = m.GetProviderModel()
	}
	return m
}

func fill(m *gptv1.Model, known *catalog.Model, c *catalog.Catalog) {
	if m.GetContextLength() == 0 {
		m.ContextLength = known.Context
	}
	if m.GetMaxOutputTokens() == 0 {
		m.MaxOutputTokens = known.Output
	}
	if m.GetEmbeddingLength() == 0 {
		m.EmbeddingLength = known.Vector
	}
	if len(m.GetCapabilities()) == 0 {
		if known.Vector == 0 {
			m.Capabilities = append(m.Capabilities, gptv1.Capability_CAPABILITY_CHAT)
		}
		for _, name := range known.Capabilities {
			m.Capabilities = append(m.Capabilities, catalog.CapabilityOf(name))
		}
	}
	if m.GetPrices() == nil && known.Input+known.Answer > 0 {
		m.Prices = &gptv1.Prices{
			Currency: c.Currency, InputPerMillion: known.Input, OutputPerMillion: known.Answer,
			CachedInputPerMillion: known.Cached, CacheWritePerMillion: known.CacheWrite, Version: c.PriceVersion,
		}
	}
}

// guess tells embedding models from chat models by their names.
func guess(model string) []gptv1.Capability {
	name := strings.ToLower(model)
	for _, word := range []string{"embed", "bge-", "minilm", "e5-", "gte-"} {
		if strings.Contains(name, word) {
			return []gptv1.Capability{gptv1.Capability_CAPABILITY_EMBEDDING}
		}
	}
	return []gptv1.Capability{gptv1.Capability_CAPABILITY_CHAT}
}
