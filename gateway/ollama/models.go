package ollama

import (
	"net/http"
	"time"

	"github.com/gptmesh/gptmesh/gateway/edge"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	wireollama "github.com/gptmesh/gptmesh/wire/ollama"
)

// keepAlive is how long Ollama keeps a model in memory by default.
const keepAlive = 5 * time.Minute

// tags lists the models.
func (f *face) tags(x *edge.Exchange) {
	models, err := f.catalog.list(x.Context())
	if err != nil {
		x.Fail(err)
		return
	}
	cards := make([]wireollama.ModelCard, 0, len(models))
	for _, m := range models {
		cards = append(cards, card(m))
	}
	_ = x.JSON(http.StatusOK, wireollama.EncodeTags(cards))
}

// ps lists the models that are in memory, as far as their providers tell.
func (f *face) ps(x *edge.Exchange) {
	models, err := f.catalog.list(x.Context())
	if err != nil {
		x.Fail(err)
		return
	}
	running := []wireollama.RunningModel{}
	for _, m := range models {
		if m.GetLoaded() {
			running = append(running, wireollama.RunningModel{ModelCard: card(m), ExpiresAt: x.Now().Add(keepAlive), SizeVRAM: m.GetSizeBytes()})
		}
	}
	_ = x.JSON(http.StatusOK, wireollama.EncodeRunning(running))
}

// show tells of one model.
func (f *face) show(x *edge.Exchange) {
	body, err := x.Body()
	if err != nil {
		x.Fail(err)
		return
	}
	asked, _, err := wireollama.DecodeShowRequest(body)
	if err != nil {
		x.Fail(err)
		return
	}
	model, err := f.model(x, asked)
	if err != nil {
		x.Fail(err)
		return
	}
	c := card(model)
	_ = x.JSON(http.StatusOK, wireollama.EncodeShow(&c))
}

// version tells which Ollama is imitated.
func (f *face) version(x *edge.Exchange) {
	if f.deps.Build != "" {
		x.Header()["X-Gptmesh-Version"] = []string{f.deps.Build}
	}
	_ = x.JSON(http.StatusOK, wireollama.EncodeVersion(f.config.Version))
}

// words are capabilities as Ollama calls them.
var words = map[gptv1.Capability]string{
	gptv1.Capability_CAPABILITY_CHAT:      wireollama.CapabilityCompletion,
	gptv1.Capability_CAPABILITY_TOOLS:     wireollama.CapabilityTools,
	gptv1.Capability_CAPABILITY_VISION:    wireollama.CapabilityVision,
	gptv1.Capability_CAPABILITY_REASONING: wireollama.CapabilityThinking,
	gptv1.Capability_CAPABILITY_EMBEDDING: wireollama.CapabilityEmbedding,
	gptv1.Capability_CAPABILITY_AUDIO:     wireollama.CapabilityAudio,
}

// card is what Ollama's clients see of a model. It is the same from call to
// call.
func card(m *gptv1.Model) wireollama.ModelCard {
	c := wireollama.ModelCard{
		Name: m.GetId(), DisplayName: m.GetDisplayName(), Size: m.GetSizeBytes(), Digest: m.GetDigest(),
		Family: m.GetFamily(), ParameterSize: m.GetParameterSize(), Quantization: m.GetQuantization(),
		ContextLength: m.GetContextLength(), EmbeddingLength: m.GetEmbeddingLength(),
	}
	if t := m.GetCreateTime(); t != nil {
		c.ModifiedAt = t.AsTime()
	}
	for _, capability := range m.GetCapabilities() {
		if capability == gptv1.Capability_CAPABILITY_FILL_IN_MIDDLE {
			c.FIM = true
		} else if word := words[capability]; word != "" {
			c.Capabilities = append(c.Capabilities, word)
		}
	}
	if len(m.GetCapabilities()) == 0 {
		// Editors hide a model that can do nothing.
		c.Capabilities = []string{wireollama.CapabilityCompletion}
	}
	return c
}
