package gpt_test

import (
	"strings"
	"testing"

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
	} {
		cfg, env := gpt.DefaultConfig(), map[string]string{"OPENAI_API_KEY": "k"}
		change(&cfg, env)
		room, err := gpt.New(cfg, gpt.Deps{SQLite: database(t), Getenv: func(name string) string { return env[name] }})
		if err == nil {
			_ = room.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}
