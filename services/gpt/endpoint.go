package gpt

import (
	"strings"

	"github.com/gptmesh/gptmesh/services/gpt/internal/catalog"
)

// endpoints are the paths of calls that people copy together with the address of a
// provider, by its kind.
var endpoints = map[string][]string{
	catalog.KindOpenAI:    {"/chat/completions", "/responses", "/completions", "/embeddings", "/models"},
	catalog.KindAnthropic: {"/messages"},
}

// withoutEndpoint is a provider's address without the path of a call at its end: every
// call adds its own.
func withoutEndpoint(kind, address string) string {
	trimmed := strings.TrimRight(address, "/")
	for _, path := range endpoints[kind] {
		if base, found := strings.CutSuffix(trimmed, path); found {
			return base
		}
	}
	return address
}
