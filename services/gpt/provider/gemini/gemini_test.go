package gemini_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/services/gpt/provider/gemini"
	"github.com/gptmesh/gptmesh/services/gpt/provider/providertest"
	"github.com/gptmesh/gptmesh/services/gpt/provider/transport"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(doer upstream.Doer, base string) transport.Config {
	return transport.Config{
		Name: "suite", BaseURL: base, Doer: doer, UserAgent: "gptmesh/1.2.3", Secrets: []string{providertest.Key},
		Header: upstream.Header{{Name: "X-Goog-Api-Key", Value: providertest.Key}},
	}
}

func quoted(text string) string {
	out, _ := json.Marshal(text)
	return string(out)
}

const tail = `"modelVersion":"model-1","responseId":"r4kfaZ7xGqSo1MkP4tHsyQ4"}`

func chunk(parts, finish, usage string) string {
	if finish != "" {
		finish = `"finishReason":"` + finish + `",`
	}
	return `{"candidates":[{"content":{"parts":[` + parts + `],"role":"model"},` + finish + `"index":0}],"usageMetadata":` + usage + `,` + tail
}

func said(text string) string { return `{"text":` + quoted(text) + `}` }

const (
	early = `{"promptTokenCount":12,"totalTokenCount":12}`
	late  = `{"promptTokenCount":12,"candidatesTokenCount":5,"totalTokenCount":17,"promptTokensDetails":[{"modality":"TEXT","tokenCount":12}]}`
	aloud = `{"promptTokenCount":12,"candidatesTokenCount":1,"thoughtsTokenCount":4,"totalTokenCount":17}`
	paris = `{"functionCall":{"name":"get_weather","args":{"city":"Paris"}}}`
	cet   = `{"functionCall":{"name":"get_time","args":{"zone":"CET"}}}`
)

func events(data ...string) (out []string) {
	for _, d := range data {
		out = append(out, "data: "+d+"\r\n\r\n")
	}
	return out
}

func dialect() providertest.Dialect {
	thought := `{"text":"Let me think.","thought":true}`
	return providertest.Dialect{
		Name: "gemini", ContentType: "text/event-stream",
		New: func(t *testing.T, doer upstream.Doer) provider.Provider {
			p, err := gemini.New(config(doer, "http://suite/v1beta/"), nil)
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
		Events: map[string][]string{
			providertest.StoryText:      events(chunk(said("Hello,"), "", early), chunk(said(" wörld"), "", early), chunk(said(" 👋"), "STOP", late)),
			providertest.StoryTool:      events(chunk(said(""), "", early), chunk(paris, "STOP", late)),
			providertest.StoryParallel:  events(chunk(paris, "", early), chunk(cet, "STOP", late)),
			providertest.StoryReasoning: events(chunk(thought, "", early), chunk(said("42"), "", early), chunk(said(""), "STOP", aloud)),
		},
		Whole: map[string]string{
			providertest.StoryText:      chunk(said("Hello, wörld 👋"), "STOP", late),
			providertest.StoryTool:      chunk(paris, "STOP", late),
			providertest.StoryReasoning: chunk(thought+","+said("42"), "STOP", aloud),
		},
		Long:    func(text string) []string { return events(chunk(said(text), "", early), chunk(said(""), "STOP", late)) },
		Failure: events(`{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}`)[0],
		Refusals: []providertest.Refusal{
			{Status: 400, Body: `{"error":{"code":400,"message":"Unable to submit request because it has an empty text parameter.","status":"INVALID_ARGUMENT"}}`, Reason: "PROVIDER_REJECTED"},
			{Status: 400, Body: `{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}`, Reason: "PROVIDER_REFUSED_KEY"},
			{Status: 400, Body: `{"error":{"code":400,"message":"The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}`, Reason: "CONTEXT_LENGTH_EXCEEDED"},
			{Status: 404, Body: `{"error":{"code":404,"message":"models/x is not found for API version v1beta, or is not supported for generateContent.","status":"NOT_FOUND"}}`, Reason: "MODEL_NOT_FOUND"},
			{Status: 429, Body: `{"error":{"code":429,"message":"You exceeded your current quota. Please retry in 34.07s.","status":"RESOURCE_EXHAUSTED"}}`, Reason: "PROVIDER_RATE_LIMITED"},
		},
		Raw: `{"x_unknown":12345678901234567890, "contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"topK":3}}`,
	}
}

func TestGemini(t *testing.T) {
	t.Parallel()
	providertest.Run(t, dialect())
}

// serve returns a provider whose calls handler answers.
func serve(t *testing.T, handler http.HandlerFunc) *gemini.Provider {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	doer, err := upstream.New(upstream.Config{Transport: upstream.TransportLean})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { doer.Close() })
	p, err := gemini.New(config(doer, server.URL), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestModels(t *testing.T) {
	t.Parallel()
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1beta/models" || r.Header.Get("X-Goog-Api-Key") != providertest.Key {
			t.Errorf("%s %v", r.URL, r.Header)
		}
		if r.URL.Query().Get("pageToken") == "" {
			_, _ = io.WriteString(w, `{"models":[{"name":"models/gemini-2.5-pro","displayName":"Gemini 2.5 Pro","inputTokenLimit":1048576,"outputTokenLimit":65536,"supportedGenerationMethods":["generateContent","countTokens"],"thinking":true},{"name":"models/aqa","supportedGenerationMethods":["generateAnswer"]}],"nextPageToken":"a b"}`)
			return
		}
		_, _ = io.WriteString(w, `{"models":[{"name":"models/gemini-embedding-001","inputTokenLimit":2048,"supportedGenerationMethods":["embedContent"]}]}`)
	})
	models, err := p.Models(context.Background())
	if err != nil || len(models) != 2 {
		t.Fatal(models, err)
	}
	if m := models[0]; m.GetProviderModel() != "gemini-2.5-pro" || m.GetContextLength() != 1048576 || m.GetMaxOutputTokens() != 65536 {
		t.Error(m)
	}
	if m := models[1]; len(m.GetCapabilities()) != 1 || m.GetCapabilities()[0] != gptv1.Capability_CAPABILITY_EMBEDDING {
		t.Error(m)
	}
}

// Inputs beyond what one call takes go in several, and their vectors stay in
// order.
func TestEmbedInBatches(t *testing.T) {
	t.Parallel()
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Requests []struct {
				Model                string
				OutputDimensionality int
				Content              struct{ Parts []struct{ Text string } }
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != "/v1beta/models/e:batchEmbedContents" {
			t.Errorf("%s %v", r.URL, err)
		}
		var list []string
		for _, request := range body.Requests {
			if request.Model != "models/e" || request.OutputDimensionality != 2 {
				t.Errorf("%+v", request)
			}
			list = append(list, `{"values":[`+request.Content.Parts[0].Text+`,0.5]}`)
		}
		_, _ = io.WriteString(w, `{"embeddings":[`+strings.Join(list, ",")+`]}`)
	})
	dimensions := int32(2)
	request := &gptv1.EmbedRequest{Dimensions: &dimensions, User: "u"}
	for i := range 150 {
		request.Inputs = append(request.Inputs, &gptv1.EmbedInput{Kind: &gptv1.EmbedInput_Text{Text: string(rune('0' + i%10))}})
	}
	answer, err := p.Embed(context.Background(), &provider.EmbedCall{Request: request, Model: "e"})
	if err != nil || len(answer.GetEmbeddings()) != 150 {
		t.Fatal(len(answer.GetEmbeddings()), err)
	}
	for i, e := range answer.GetEmbeddings() {
		if len(e.GetValues()) != 2 || e.GetValues()[0] != float32(i%10) {
			t.Fatal(i, e)
		}
	}
	if len(answer.GetDroppedFields()) != 1 || answer.GetDroppedFields()[0] != "user" {
		t.Error(answer.GetDroppedFields())
	}
	request.Inputs = []*gptv1.EmbedInput{{Kind: &gptv1.EmbedInput_Tokens{Tokens: &gptv1.TokenList{Ids: []int32{1}}}}}
	if _, err := p.Embed(context.Background(), &provider.EmbedCall{Request: request, Model: "e"}); fault.ReasonName(fault.From(err).Reason) != "UNSUPPORTED" {
		t.Error(err)
	}
}

// A model of a generation that the catalogue does not know is asked as its
// generation demands.
func TestQuirksOfGenerations(t *testing.T) {
	t.Parallel()
	var bodies []string
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(body))
		_, _ = io.WriteString(w, chunk(said("x"), "STOP", late))
	})
	turn := &conversationv1.Turn{Reasoning: &conversationv1.ReasoningOptions{Effort: "high"}}
	for _, model := range []string{"gemini-2.5-flash", "gemini-3.8-flash", "gemini-10-x", "gemini-exp", "gemma-3"} {
		if err := p.Generate(context.Background(), &provider.Call{Turn: turn, Model: model}, func(*conversationv1.Chunk) error { return nil }); err != nil {
			t.Fatal(model, err)
		}
	}
	for i, want := range []string{"thinkingBudget", "thinkingLevel", "thinkingLevel", "thinkingBudget", "thinkingBudget"} {
		if !strings.Contains(bodies[i], want) {
			t.Errorf("%d: %s", i, bodies[i])
		}
	}
}

// How long to wait stands in the words where the header does not tell it.
func TestRetryAfterInWords(t *testing.T) {
	t.Parallel()
	p := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"error":{"code":429,"message":"You exceeded your current quota. Please retry in 2.5s.","status":"RESOURCE_EXHAUSTED"}}`)
	})
	_, err := p.Models(context.Background())
	failure := (*provider.Error)(nil)
	if !errors.As(err, &failure) || failure.RetryAfter() != 2500*time.Millisecond {
		t.Error(err, failure.RetryAfter())
	}
}
