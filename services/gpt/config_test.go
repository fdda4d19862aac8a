package gpt_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/services/gpt"
	"go.yaml.in/yaml/v3"
)

func TestConfigFromYAML(t *testing.T) {
	t.Parallel()
	const text = `
default_model: fast
aliases: {fast: groq/llama-3.3-70b-versatile}
providers:
  groq: {api_key_env: MY_GROQ_KEY}
  inhouse: {base_url: "http://10.0.0.7:8000/v1", auth: none, models: [qwen3], concurrency: {max_running: 4}}
models:
  inhouse/qwen3: {context_length: 32768, prices: {input: 0.1, output: 0.2}}
timeouts: {first_token: 30s}
`
	cfg := gpt.DefaultConfig()
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&cfg); err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	if cfg.Timeouts.FirstToken != 30*time.Second || cfg.Timeouts.Idle != time.Minute || cfg.Providers["inhouse"].Concurrency.MaxRunning != 4 {
		t.Errorf("%+v", cfg)
	}
	r := start(t, setup{
		config: func(c *gpt.Config) { c.Providers, c.Models = cfg.Providers, cfg.Models },
		env:    map[string]string{"GROQ_API_KEY": "not this one"},
	})
	if m, reason := get(t, r, "qwen3"); m.GetContextLength() != 32768 || m.GetPrices().GetVersion() != "config" {
		t.Errorf("%v %s", m, reason)
	}
	if _, reason := get(t, r, "groq/x"); reason != "PROVIDER_NOT_CONFIGURED" {
		t.Error(reason)
	}
}

// TestModelsOfTheConfig: what is wrong of a model is named by its key.
func TestModelsOfTheConfig(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]gpt.ModelConfig{
		"":                    {ContextLength: 4096, Capabilities: []string{"chat"}, Prices: &gpt.PricesConfig{Input: 1}},
		"context_length":      {ContextLength: -1},
		"max_output_tokens":   {MaxOutputTokens: -1},
		"embedding_length":    {EmbeddingLength: -1},
		"capabilities":        {Capabilities: []string{"sings"}},
		"prices.cached_input": {Prices: &gpt.PricesConfig{CachedInput: -0.5}},
	} {
		cfg := gpt.DefaultConfig()
		cfg.Models = map[string]gpt.ModelConfig{"lab/m": m}
		switch err := cfg.Validate(); {
		case want == "" && err != nil:
			t.Errorf("a right model is refused: %v", err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), "gpt.models.lab/m."+want+":")):
			t.Errorf("%s: %v", want, err)
		}
	}
}
