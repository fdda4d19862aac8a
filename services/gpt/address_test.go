package gpt_test

import (
	"strings"
	"testing"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt"
)

// TestWrongAddressNamesItsPlace: the variable or the key of the configuration that
// has it.
func TestWrongAddressNamesItsPlace(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*gpt.Config, map[string]string){
		"OPENAI_BASE_URL: ": func(_ *gpt.Config, env map[string]string) { env["OPENAI_BASE_URL"] = "foo" },
		"gpt.providers.openai.base_url: ": func(c *gpt.Config, _ map[string]string) {
			c.Providers = map[string]gpt.ProviderConfig{"openai": {BaseURL: "ftp://x"}}
		},
		"OPENAI_BASE_URL: the address of a provider has no query": func(_ *gpt.Config, env map[string]string) { env["OPENAI_BASE_URL"] = "http://localhost/v1?key=secret" },
		"ANTHROPIC_BASE_URL: the address of a provider has no query": func(_ *gpt.Config, env map[string]string) {
			env["ANTHROPIC_API_KEY"], env["ANTHROPIC_BASE_URL"] = "k", "http://localhost/?key=secret"
		},
		"gpt.providers.lab.base_url: the address of a provider has no query and no fragment": func(c *gpt.Config, _ map[string]string) {
			c.Providers = map[string]gpt.ProviderConfig{"lab": {BaseURL: "http://localhost/v1#secret"}}
		},
	} {
		cfg, env := gpt.DefaultConfig(), map[string]string{"OPENAI_API_KEY": "k"}
		change(&cfg, env)
		room, err := gpt.New(cfg, gpt.Deps{SQLite: database(t), Getenv: func(name string) string { return env[name] }})
		if err == nil {
			_ = room.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%v tells what may be a key", err)
		}
	}
}

// TestEndpointAsAddress: who copied the address of a call means that of the provider.
func TestEndpointAsAddress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind, address, want string
	}{
		"chat completions": {"", "http://localhost:1/v1/chat/completions", "http://localhost:1/v1"},
		"with a slash":     {"", "http://localhost:1/v1/chat/completions/", "http://localhost:1/v1"},
		"completions":      {"", "http://localhost:1/v1/completions", "http://localhost:1/v1"},
		"responses":        {"openai", "http://localhost:1/v1/responses", "http://localhost:1/v1"},
		"messages":         {"anthropic", "http://localhost:1/v1/messages", "http://localhost:1"},
		"of another kind":  {"anthropic", "http://localhost:1/chat/completions", "http://localhost:1/chat/completions"},
		"the provider's":   {"", "http://localhost:1/chat/v1", "http://localhost:1/chat/v1"},
	} {
		cfg := gpt.DefaultConfig()
		cfg.Discovery.Enabled = false
		cfg.Providers = map[string]gpt.ProviderConfig{"lab": {Kind: c.kind, BaseURL: c.address, Models: []string{"m"}}}
		room, err := gpt.New(cfg, gpt.Deps{SQLite: database(t), Getenv: func(string) string { return "" }})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		list, err := room.ListProviders(t.Context(), &gptv1.ListProvidersRequest{})
		if err != nil {
			t.Fatal(err)
		}
		have := ""
		for _, p := range list.GetProviders() {
			if p.GetName() == "lab" {
				have = p.GetBaseUrl()
			}
		}
		if have != c.want {
			t.Errorf("%s: %s is taken for %q", name, c.address, have)
		}
		if err := room.Close(); err != nil {
			t.Error(err)
		}
	}
}
