package gpt

import (
	"slices"
	"testing"

	"github.com/gptmesh/gptmesh/services/gpt/internal/catalog"
)

// What only the official server is known to have is not asked of another one
// that speaks the same API.
func TestQuirksOfTheOfficialAddress(t *testing.T) {
	t.Parallel()
	descriptor := catalog.Provider{
		Name: "openai", BaseURL: "https://api.example.com/v1", BaseURLEnv: []string{"BASE"}, Quirks: []string{"max_tokens"}, OfficialQuirks: []string{"responses"},
	}
	for name, c := range map[string]struct {
		base string
		cfg  ProviderConfig
		want []string
	}{
		"official":             {"", ProviderConfig{}, []string{"max_tokens", "responses"}},
		"official, in words":   {"https://api.example.com/v1/", ProviderConfig{}, []string{"max_tokens", "responses"}},
		"another, by variable": {"http://127.0.0.1:9/v1", ProviderConfig{}, []string{"max_tokens"}},
		"another, by name":     {"", ProviderConfig{BaseURL: "http://127.0.0.1:9/v1"}, []string{"max_tokens"}},
		"the owner's word":     {"", ProviderConfig{Quirks: []string{}}, nil},
		"the owner's other":    {"http://127.0.0.1:9/v1", ProviderConfig{Quirks: []string{"responses"}}, []string{"responses"}},
	} {
		s := &Service{deps: Deps{Getenv: func(name string) string { return map[string]string{"BASE": c.base}[name] }}}
		if got := s.setting(descriptor, c.cfg).Quirks; !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
