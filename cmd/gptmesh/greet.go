package main

import (
	"fmt"
	"io"
	"strings"
)

// greet says where the faces are.
func (h *host) greet(w io.Writer) {
	s := h.settings
	fmt.Fprintf(w, "gptmesh %s is ready: %s\n\n", version, strings.Join(h.rooms, ", "))
	if h.runs("gateway") {
		base := "http://" + s.HTTP
		fmt.Fprintf(w, "  OpenAI      %s/v1\n", base)
		fmt.Fprintf(w, "  Ollama      %s        (OLLAMA_HOST=%s)\n", base, base)
		fmt.Fprintf(w, "  Anthropic   %s        (ANTHROPIC_BASE_URL=%s)\n", base, base)
		fmt.Fprintf(w, "  REST        %s/mesh/v1   (%s/mesh/v1/openapi.yaml)\n", base, base)
	}
	fmt.Fprintf(w, "  gRPC        %s\n", s.GRPC)
	if s.Admin != "" {
		fmt.Fprintf(w, "  metrics     http://%s/metrics\n", s.Admin)
	}
	if h.keeps() {
		store := s.Data
		if s.Database.URL != "" {
			store = "PostgreSQL"
		}
		fmt.Fprintf(w, "  store       %s\n", store)
	}
	switch {
	case !h.authenticator.Open():
	case s.AllowKeyless:
		fmt.Fprintln(w, "\nNo API key is asked for (GPTMESH_API_KEYS is not set), and allow_keyless is set: whoever reaches these addresses can use them.")
	default:
		fmt.Fprintln(w, "\nNo API key is asked for (GPTMESH_API_KEYS is not set): only this machine can connect.")
	}
	if h.runs("gateway") {
		fmt.Fprintf(w, "\nTry:\n  curl http://%s/v1/chat/completions -d '{\"model\":\"echo\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}'\n", s.HTTP)
	}
}
