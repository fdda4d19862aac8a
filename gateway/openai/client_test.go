package openai_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
)

const mistral = "mistral-client-typescript/2.7.0"

// TestClientsOfOtherServers holds what clients get that are known by their names, and that
// nobody else gets it.
func TestClientsOfOtherServers(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ whole, usage bool }{
		mistral:                        {whole: true, usage: true},
		"mistral-client-python/1.9.11": {whole: true, usage: true},
		"ai-sdk/xai/3.0.138 ai-sdk/provider-utils/4.0.56 runtime/node.js/v20.20.2":       {whole: true},
		"ai/7.0.1 ai-sdk/mistral/3.0.69 ai-sdk/provider-utils/4.0.56 runtime/node.js/20": {usage: true},
		"speakeasy-sdk/typescript 1.3.19 2.914.0 1.0.0 @openrouter/sdk":                  {usage: true},
		"ai-sdk/openai-compatible/3.0.92":                                                {},
		"OpenAI/JS 7.55.0":                                                               {},
		"":                                                                               {},
	} {
		m := newMesh(t, nil)
		m.request.Script = gatewaytest.Chunks(
			gatewaytest.Chunk(gatewaytest.Started("m"), gatewaytest.Call(0, "call_a", "weather", `{"z":`), gatewaytest.Call(0, "", "", `1}`)),
			gatewaytest.Chunk(gatewaytest.ChoiceFinished(conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS), gatewaytest.Usage(3, 2), gatewaytest.Finished()))
		body := post(m, "/v1/chat/completions", askStream, "User-Agent", name).Body.String()
		if whole := strings.Contains(body, `"arguments":"{\"z\":1}"`); whole != want.whole {
			t.Errorf("%q: calls in one piece: %v\n%s", name, whole, body)
		}
		if usage := strings.Contains(body, `"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3,`); usage != want.usage {
			t.Errorf("%q: usage beside the end: %v\n%s", name, usage, body)
		}
		accepts := m.request.Last().GetTurn().GetAcceptWire()
		if raw := accepts == own; raw == (want.whole || want.usage) {
			t.Errorf("%q: takes the provider's own bytes: %v", name, raw)
		}
		post(m, "/v1/chat/completions", ask, "User-Agent", name)
		if got := m.request.Last().GetTurn().GetAcceptWire(); got != own {
			t.Errorf("%q: a whole answer is asked for in %v", name, got)
		}
	}
}

// TestMistralsLists holds the members that Mistral's own libraries want.
func TestMistralsLists(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	m.gpt.EmbedFunc = func(context.Context, *gptv1.EmbedRequest) (*gptv1.EmbedResponse, error) {
		return &gptv1.EmbedResponse{Model: "v", Embeddings: []*gptv1.Embedding{{Values: []float32{1}}}}, nil
	}
	for _, path := range []string{"/v1/models", "/v1/models/gpt-4.1"} {
		for _, name := range []string{mistral, "OpenAI/JS 7.55.0"} {
			r := httptest.NewRequest("GET", path, nil)
			r.Host = "localhost"
			r.Header.Set("User-Agent", name)
			w := httptest.NewRecorder()
			m.edge.ServeHTTP(w, r)
			if card := strings.Contains(w.Body.String(), `"type":"base","max_context_length":131072,"capabilities":{"completion_chat":true,"function_calling":true,`); card != (name == mistral) {
				t.Errorf("%s for %s: %s", path, name, w.Body)
			}
		}
	}
	for _, name := range []string{mistral, "OpenAI/JS 7.55.0"} {
		body := post(m, "/v1/embeddings", `{"model":"v","input":"a"}`, "User-Agent", name).Body.String()
		if id := strings.HasPrefix(body, `{"id":"rid_`); id != (name == mistral) {
			t.Errorf("vectors for %s: %s", name, body)
		}
	}
}
