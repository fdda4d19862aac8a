package catalog_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/services/gpt/internal/catalog"
)

// quirks are those that codecs and adapters read.
var quirks = []string{
	"max_tokens", "max_completion_tokens", "no_stream_options", "no_developer_role", "extended_sampling", "repetition_penalty", "string_content",
	"reasoning_history", "think_bool", "completions", "prompts", "beta_completions", "fim_completions",
	"responses",
}

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
		if !slices.Contains(catalog.Kinds(), p.Kind) {
			t.Errorf("%s: kind %q", p.Name, p.Kind)
		}
		if p.Auth != "" && !slices.Contains(catalog.Auths(), p.Auth) {
			t.Errorf("%s: auth %q", p.Name, p.Auth)
		}
		if u, err := url.Parse(p.BaseURL); err != nil || u.Host == "" && len(p.BaseURLEnv) == 0 {
			t.Errorf("%s: base_url %q", p.Name, p.BaseURL)
		}
		for _, quirk := range slices.Concat(p.Quirks, p.OfficialQuirks) {
			if !slices.Contains(quirks, quirk) {
				t.Errorf("%s: nobody knows the quirk %q", p.Name, quirk)
			}
		}
		for _, prefix := range p.Prefixes {
			if owner := c.Owner(prefix + "x"); owner.Name != p.Name {
				t.Errorf("%s: names that begin with %q belong to %s too", p.Name, prefix, owner.Name)
			}
		}
		if p.DefaultModel != "" && c.Model(p.Name, p.DefaultModel) == nil {
			t.Errorf("%s: nothing is known of its default model %s", p.Name, p.DefaultModel)
		}
	}
	if len(c.Providers) < 30 {
		t.Errorf("%d providers", len(c.Providers))
	}
	for _, name := range []string{"openai", "anthropic", "ollama", "groq", "openrouter", "mistral", "deepseek", "together",
		"fireworks", "xai", "cerebras", "perplexity", "nvidia", "azure", "vllm", "llamacpp", "lmstudio", "litellm", "gemini", "bedrock"} {
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
	for _, name := range []string{"openai/gpt-4o", "openai/gpt-4o-2024-11-20", "anthropic/claude-haiku-4-5-20251001", "openai/gpt-4o-latest",
		"gemini/gemini-2.5-flash", "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock/amazon.nova-pro-v1:0", "bedrock/amazon.titan-embed-text-v2:0"} {
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
