package openai_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc/codes"
)

const mistral = "mistral-client-typescript/2.7.0"

// TestClientsOfOtherServers holds what clients get that are known by their names, and that
// nobody else gets it.
func TestClientsOfOtherServers(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ whole, usage, groq, reasoning, openRouter, aside bool }{
		mistral:                        {whole: true, usage: true},
		"mistral-client-python/1.9.11": {whole: true, usage: true},
		"ai-sdk/xai/3.0.138 ai-sdk/provider-utils/4.0.56 runtime/node.js/v20.20.2":       {whole: true},
		"ai/7.0.1 ai-sdk/mistral/3.0.69 ai-sdk/provider-utils/4.0.56 runtime/node.js/20": {usage: true},
		"speakeasy-sdk/typescript 1.3.19 2.914.0 1.0.0 @openrouter/sdk":                  {usage: true, reasoning: true, openRouter: true},
		"ai-sdk/openrouter/3.1.0 ai-sdk/provider-utils/5.0.42 runtime/node.js/v20.20.2":  {usage: true, reasoning: true, openRouter: true},
		"ai-sdk/groq/3.0.71 ai-sdk/provider-utils/4.0.56 runtime/node.js/v20.20.2":       {groq: true, reasoning: true},
		"ai-sdk-groq/4.0.84 ai-sdk-provider-utils/5.0.81 node.js/v20.20.2":               {groq: true, reasoning: true},
		"ai-sdk-cerebras/3.0.1 ai-sdk-provider-utils/5.0.81 node.js/v20.20.2":            {usage: true},
		"ai/7.0.173 ai-sdk-provider-utils/5.0.81 node.js/v20.20.2":                       {aside: true},
		"ai/6.0.326 ai-sdk/provider-utils/4.0.56 runtime/node.js/v20.20.2":               {aside: true},
		"Groq/JS 1.6.0":                   {groq: true, reasoning: true},
		"AsyncTogether/Python 1":          {reasoning: true},
		"Agents/JavaScript 0.20.0":        {reasoning: true},
		"Agents/Python 0.20.0":            {},
		"ai-sdk/openai-compatible/3.0.92": {},
		"OpenAI/JS 7.55.0":                {},
		"":                                {},
	} {
		m := newMesh(t, nil)
		m.request.Script = gatewaytest.Chunks(
			gatewaytest.Chunk(gatewaytest.Started("m"), thought("hm"), gatewaytest.Call(0, "call_a", "weather", `{"z":`), gatewaytest.Call(0, "", "", `1}`)),
			gatewaytest.Chunk(gatewaytest.ChoiceFinished(conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS), gatewaytest.Usage(3, 2), gatewaytest.Finished()))
		body := post(m, "/v1/chat/completions", askStream, "User-Agent", name).Body.String()
		if whole := strings.Contains(body, `"arguments":"{\"z\":1}"`); whole != want.whole {
			t.Errorf("%q: calls in one piece: %v\n%s", name, whole, body)
		}
		if usage := strings.Contains(body, `"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3,`); usage != want.usage {
			t.Errorf("%q: usage beside the end: %v\n%s", name, usage, body)
		}
		if groq := strings.Contains(body, `"finish_reason":"tool_calls"}],"x_groq":{"usage":{"prompt_tokens":3,`); groq != want.groq {
			t.Errorf("%q: usage in x_groq: %v\n%s", name, groq, body)
		}
		if thought := strings.Contains(body, `"reasoning_content":"hm","reasoning":"hm"`); thought != (want.reasoning || want.aside) {
			t.Errorf("%q: thoughts in reasoning: %v\n%s", name, thought, body)
		}
		if details := strings.Contains(body, `"reasoning_details":[{"type":"reasoning.text","text":"hm","index":0}]`); details != want.openRouter {
			t.Errorf("%q: thoughts in reasoning_details: %v\n%s", name, details, body)
		}
		accepts := m.request.Last().GetTurn().GetAcceptWire()
		if raw := accepts == own; raw == (want.whole || want.usage || want.groq || want.reasoning) {
			t.Errorf("%q: takes the provider's own bytes: %v", name, raw)
		}
		const provider = `{"choices":[{"message":{"role":"assistant","reasoning_content":"hm","content":"a"}}]}`
		m.request.Script = gatewaytest.Chunks(
			&conversationv1.Chunk{Raw: &conversationv1.RawChunk{Wire: own, Form: conversationv1.RawForm_RAW_FORM_JSON, Data: []byte(provider)}},
			gatewaytest.Chunk(gatewaytest.Finished()))
		body = post(m, "/v1/chat/completions", ask, "User-Agent", name).Body.String()
		expect := provider
		if want.reasoning || want.aside {
			expect = strings.Replace(provider, `"hm",`, `"hm","reasoning":"hm",`, 1)
		}
		if body != expect {
			t.Errorf("%q: a provider's own body is %s", name, body)
		}
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

func thought(text string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{Reasoning: &conversationv1.ReasoningDelta{Text: text}}}
}

const openRouter = "speakeasy-sdk/typescript 1.3.19 2.914.0 1.0.0 @openrouter/sdk"

// TestOpenRoutersErrors holds that OpenRouter's libraries read a number for an error's
// code, before an answer, amid one, and where nothing is served.
func TestOpenRoutersErrors(t *testing.T) {
	t.Parallel()
	for _, name := range []string{openRouter, "OpenAI/JS 7.55.0"} {
		m := newMesh(t, nil)
		numbered := name == openRouter
		m.request.Script = func(context.Context, *requestv1.SubmitRequest, func(*requestv1.SubmitResponse) error) error {
			return fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND, "there is no model x")
		}
		w := post(m, "/v1/chat/completions", ask, "User-Agent", name)
		if got := w.Body.String() == `{"error":{"code":404,"message":"there is no model x"}}`; got != numbered || w.Code != 404 {
			t.Errorf("%s: an unknown model is %d %s", name, w.Code, w.Body)
		}
		w = post(m, "/v1/nothing", ask, "User-Agent", name)
		if got := strings.HasPrefix(w.Body.String(), `{"error":{"code":404,"message":"unknown URL`); got != numbered || w.Code != 404 {
			t.Errorf("%s: an unknown path is %d %s", name, w.Code, w.Body)
		}
		failed := wire.Failure(fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED, "cut"))
		m.request.Script = gatewaytest.Chunks(gatewaytest.Chunk(gatewaytest.Started("m"), gatewaytest.Text("a")),
			gatewaytest.Chunk(&conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: failed}}))
		body := post(m, "/v1/chat/completions", askStream, "User-Agent", name).Body.String()
		if got := strings.HasSuffix(body, `"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"cut"}}`+"\n\n"); got != numbered {
			t.Errorf("%s: a failure amid the answer is %s", name, body)
		}
	}
}

// TestOpenRoutersModels holds the members of a list that OpenRouter's library wants.
func TestOpenRoutersModels(t *testing.T) {
	t.Parallel()
	for _, name := range []string{openRouter, "OpenAI/JS 7.55.0"} {
		m := newMesh(t, nil)
		r := httptest.NewRequest("GET", "/v1/models", nil)
		r.Host = "localhost"
		r.Header.Set("User-Agent", name)
		w := httptest.NewRecorder()
		m.edge.ServeHTTP(w, r)
		for _, member := range []string{
			`"canonical_slug":"`, `"architecture":{"modality":"text`, `"pricing":{"prompt":"`, `"top_provider":{"context_length":`,
			`"supported_parameters":[`, `"per_request_limits":null`, `],"links":{"next":null},"total_count":`,
		} {
			if got := strings.Contains(w.Body.String(), member); got != (name == openRouter) {
				t.Errorf("%s: %s is there: %v\n%s", name, member, got, w.Body)
			}
		}
	}
}
