package gpt

import (
	"slices"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/services/gpt/internal/catalog"
)

// TestUnknownQuirks: a name that nothing knows is refused by its setting, beside those that
// are known.
func TestUnknownQuirks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind, quirk, want string
	}{
		"right":           {"", "max_tokens", ""},
		"of the server":   {"openai", "responses", ""},
		"another kind's":  {"ollama", "max_tokens", `gpt.providers.lab.quirks: "max_tokens" is none; a provider of the kind ollama may have think_bool`},
		"a slip":          {"gemini", "no_penaltys", "no_logprobs, no_penalties"},
		"of a cloud":      {"bedrock", "claude", ""},
		"unknown there":   {"bedrock", "claudes", "kind bedrock may have adaptive_thinking, claude,"},
		"of the makers'":  {"anthropic", "no_sampling", ""},
		"unknown to them": {"anthropic", "", `"" is none`},
	} {
		s := &Service{deps: Deps{Getenv: func(string) string { return "" }}}
		cfg := ProviderConfig{Kind: c.kind, BaseURL: "http://127.0.0.1:9", Quirks: []string{c.quirk}}
		o := s.setting(catalog.Provider{Name: "lab", KeyOptional: true}, cfg)
		switch err := checkQuirks(o.Name, o.Kind, cfg.Quirks); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v; want %s", name, err, c.want)
		}
	}
}

// TestQuirksOfTheCatalogue: those of the providers that come with the program are known.
func TestQuirksOfTheCatalogue(t *testing.T) {
	t.Parallel()
	list, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list.Providers {
		for _, name := range slices.Concat(p.Quirks, p.OfficialQuirks) {
			if !slices.Contains(knownQuirks(p.Kind), name) {
				t.Errorf("%s: %s", p.Name, name)
			}
		}
	}
}
