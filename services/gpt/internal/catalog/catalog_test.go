package catalog_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/services/gpt/internal/catalog"
)

func TestFilesAreSound(t *testing.T) {
	t.Parallel()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range c.Providers {
		if seen[p.Name] || p.Source == "" || p.Date == "" {
			t.Errorf("%s: twice, or without source or date", p.Name)
		}
		seen[p.Name] = true
		if !slices.Contains([]string{catalog.KindOpenAI, catalog.KindAnthropic, catalog.KindOllama}, p.Kind) {
			t.Errorf("%s: kind %q", p.Name, p.Kind)
		}
		if !slices.Contains([]string{"", catalog.AuthBearer, catalog.AuthAPIKey, catalog.AuthXAPIKey, catalog.AuthNone}, p.Auth) {
			t.Errorf("%s: auth %q", p.Name, p.Auth)
		}
		if u, err := url.Parse(p.BaseURL); err != nil || u.Host == "" && len(p.BaseURLEnv) == 0 {
			t.Errorf("%s: base_url %q", p.Name, p.BaseURL)
		}
		if p.DefaultModel != "" && c.Model(p.Name, p.DefaultModel) == nil {
			t.Errorf("%s: nothing is known of its default model %s", p.Name, p.DefaultModel)
		}
	}
	for _, name := range []string{"openai", "anthropic", "ollama", "groq", "openrouter", "mistral", "deepseek", "together",
		"fireworks", "xai", "cerebras", "perplexity", "nvidia", "azure", "vllm", "llamacpp", "lmstudio", "litellm"} {
		if c.Provider(name) == nil {
			t.Errorf("no provider %s", name)
		}
	}
}

func TestModelsAreFoundUnderTheirDates(t *testing.T) {
	t.Parallel()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"openai/gpt-4o", "openai/gpt-4o-2024-11-20", "anthropic/claude-haiku-4-5-20251001", "openai/gpt-4o-latest"} {
		provider, model, _ := strings.Cut(name, "/")
		if m := c.Model(provider, model); m == nil || m.Context == 0 || m.Input == 0 {
			t.Errorf("%s: %+v", name, m)
		}
	}
	if c.Model("groq", "gpt-4o") != nil {
		t.Error("a model of another provider was found")
	}
	if p := c.Owner("claude-x"); p == nil || p.Name != "anthropic" {
		t.Error(p)
	}
}
