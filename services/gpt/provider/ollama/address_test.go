package ollama_test

import (
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt/provider/ollama"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"":                          "http://127.0.0.1:11434",
		"  box ":                    "http://box:11434",
		"box:8080":                  "http://box:8080",
		":7777":                     "http://127.0.0.1:7777",
		"0.0.0.0":                   "http://127.0.0.1:11434",
		"0.0.0.0:1234":              "http://127.0.0.1:1234",
		"[::]:1234":                 "http://127.0.0.1:1234",
		"::1":                       "http://[::1]:11434",
		"[::1]":                     "http://[::1]:11434",
		"10.0.0.7":                  "http://10.0.0.7:11434",
		"http://box":                "http://box:80",
		"https://box":               "https://box:443",
		"https://box/ollama/":       "https://box:443/ollama",
		"http://box:11434/":         "http://box:11434",
		"box:99999":                 "http://box:11434",
		"ollama.com":                "https://ollama.com:443",
		"http://127.0.0.1:11434/v1": "http://127.0.0.1:11434/v1",
	} {
		if got := ollama.Address(host); got != want {
			t.Errorf("%q: %s, want %s", host, got, want)
		}
	}
}

func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"", "box:1", "https://[::1]:9/x", ":::", "http://"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		address := ollama.Address(host)
		if !strings.Contains(address, "://") {
			t.Errorf("%q: %q", host, address)
		}
		_, _ = upstream.ParseTarget(address) // must not panic
	})
}
