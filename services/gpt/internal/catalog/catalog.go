// Package catalog is what the room knows of providers and models without
// asking: two files of data in the binary, each entry with its source and date.
package catalog

import (
	"bytes"
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"sync"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"go.yaml.in/yaml/v3"
)

//go:embed providers.yaml
var providersYAML []byte

//go:embed models.yaml
var modelsYAML []byte

// The kinds of adapters.
const (
	KindOpenAI    = "openai"
	KindAnthropic = "anthropic"
	KindOllama    = "ollama"
	KindGemini    = "gemini"
	KindBedrock   = "bedrock"
)

// The ways to send a key.
const (
	AuthBearer  = "bearer"
	AuthAPIKey  = "api-key"
	AuthXAPIKey = "x-api-key"
	AuthGoogle  = "x-goog-api-key"
	AuthNone    = "none"
)

// Provider describes a provider; providers.yaml says what the fields mean.
type Provider struct {
	Name         string   `yaml:"name"`
	Kind         string   `yaml:"kind"`
	BaseURL      string   `yaml:"base_url"`
	BaseURLEnv   []string `yaml:"base_url_env"`
	KeyEnv       string   `yaml:"key_env"`
	KeyEnvAlso   []string `yaml:"key_env_also"`
	Auth         string   `yaml:"auth"`
	KeyOptional  bool     `yaml:"key_optional"`
	NoListing    bool     `yaml:"no_listing"`
	Explicit     bool     `yaml:"explicit"`
	DefaultModel string   `yaml:"default_model"`
	Prefixes     []string `yaml:"prefixes"`
	Quirks       []string `yaml:"quirks"`
	// OfficialQuirks are further ones of the server at BaseURL.
	OfficialQuirks []string `yaml:"official_quirks"`
	Source         string   `yaml:"source"`
	Date           string   `yaml:"date"`
}

// Kinds are the adapters.
func Kinds() []string {
	return []string{KindOpenAI, KindAnthropic, KindOllama, KindGemini, KindBedrock}
}

// Auths are the ways to send a key.
func Auths() []string { return []string{AuthBearer, AuthAPIKey, AuthXAPIKey, AuthGoogle, AuthNone} }

// Owns says that a model's name is one of this provider's own.
func (p *Provider) Owns(model string) bool {
	for _, prefix := range p.Prefixes {
		if strings.HasPrefix(model, prefix) {
			return true
		}
	}
	return false
}

// Model describes a model. Zero fields are not known.
type Model struct {
	Provider     string   `yaml:"provider"`
	ID           string   `yaml:"id"`
	Context      int64    `yaml:"context"`
	Output       int64    `yaml:"output"`
	Vector       int64    `yaml:"vector"`
	Capabilities []string `yaml:"caps"`
	Input        float64  `yaml:"in"`
	Cached       float64  `yaml:"cached"`
	CacheWrite   float64  `yaml:"write"`
	Answer       float64  `yaml:"out"`
	Quirks       []string `yaml:"quirks"`
}

// Catalog is both files. It is read-only.
type Catalog struct {
	// Providers in the order of the file.
	Providers []Provider
	// PriceVersion names the price list, Currency its currency.
	PriceVersion, Currency string

	models map[string]*Model
}

// Load returns the catalogue in the binary.
var Load = sync.OnceValues(func() (*Catalog, error) { return parse(providersYAML, modelsYAML) })

func parse(providers, models []byte) (*Catalog, error) {
	var p struct {
		Version   string     `yaml:"version"`
		Providers []Provider `yaml:"providers"`
	}
	if err := strict(providers, &p); err != nil {
		return nil, fmt.Errorf("providers.yaml: %w", err)
	}
	var m struct {
		Version  string  `yaml:"version"`
		Currency string  `yaml:"currency"`
		Models   []Model `yaml:"models"`
	}
	if err := strict(models, &m); err != nil {
		return nil, fmt.Errorf("models.yaml: %w", err)
	}
	c := &Catalog{Providers: p.Providers, PriceVersion: m.Version, Currency: m.Currency, models: make(map[string]*Model, len(m.Models))}
	for i := range m.Models {
		model := &m.Models[i]
		for _, name := range model.Capabilities {
			if CapabilityOf(name) == 0 {
				return nil, fmt.Errorf("models.yaml: %s: no capability is called %q", model.ID, name)
			}
		}
		c.models[model.Provider+"/"+model.ID] = model
	}
	return c, nil
}

func strict(data []byte, out any) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	return decoder.Decode(out)
}

// Provider returns the provider of this name, or nil.
func (c *Catalog) Provider(name string) *Provider {
	for i := range c.Providers {
		if c.Providers[i].Name == name {
			return &c.Providers[i]
		}
	}
	return nil
}

// Owner returns the provider whose own models have names like this one, or nil.
func (c *Catalog) Owner(model string) *Provider {
	for i := range c.Providers {
		if c.Providers[i].Owns(model) {
			return &c.Providers[i]
		}
	}
	return nil
}

var snapshot = regexp.MustCompile(`(?:-\d{4}-\d{2}-\d{2}|-\d{8}|-latest)$`)

// Amazon puts where a model may run before its name, and a version behind it:
// "eu.anthropic.claude-sonnet-4-5-20250929-v1:0".
var (
	area    = regexp.MustCompile(`^(?:us|eu|apac|jp|au|ca|global|us-gov)\.`)
	version = regexp.MustCompile(`-v\d+(?::\d+)?$`)
)

// Model returns what is known of a provider's model, or nil.
func (c *Catalog) Model(provider, model string) *Model {
	if m := c.models[provider+"/"+model]; m != nil {
		return m
	}
	if p := c.Provider(provider); p != nil && p.Kind == KindBedrock {
		model = version.ReplaceAllString(area.ReplaceAllString(model, ""), "")
	}
	return c.models[provider+"/"+snapshot.ReplaceAllString(model, "")]
}

// CapabilityOf is the capability of a name: chat, tools, vision, reasoning,
// json, embedding, fim, audio, files. 0 for another name.
func CapabilityOf(name string) gptv1.Capability {
	switch name {
	case "chat":
		return gptv1.Capability_CAPABILITY_CHAT
	case "tools":
		return gptv1.Capability_CAPABILITY_TOOLS
	case "vision":
		return gptv1.Capability_CAPABILITY_VISION
	case "reasoning":
		return gptv1.Capability_CAPABILITY_REASONING
	case "json":
		return gptv1.Capability_CAPABILITY_JSON_SCHEMA
	case "embedding":
		return gptv1.Capability_CAPABILITY_EMBEDDING
	case "fim":
		return gptv1.Capability_CAPABILITY_FILL_IN_MIDDLE
	case "audio":
		return gptv1.Capability_CAPABILITY_AUDIO
	case "files":
		return gptv1.Capability_CAPABILITY_FILES
	}
	return 0
}
