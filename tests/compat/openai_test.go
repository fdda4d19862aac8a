package compat

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
)

func (w *world) openAI() openai.Client {
	return openai.NewClient(option.WithBaseURL(w.URL+"/v1/"), option.WithAPIKey("any"), option.WithMaxRetries(0), option.WithHTTPClient(w.HTTP()))
}

func say(model, scene string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{
		openai.SystemMessage("Be brief."), openai.UserMessage(provider.Prompt(scene)),
	}}
}

// TestOpenAISDK is OpenAI's own library for Go.
func TestOpenAISDK(t *testing.T) {
	t.Parallel()
	w := start(t)
	runAll(t, w, client{"openai-go", "/v1/chat/completions", []string{"github.com/openai/openai-go/v3"}}, []feature{
		{"chat", nil, openAIChat},
		{"chat, streamed", nil, openAIStream},
		{"usage only when asked for", nil, openAIUsage},
		{"reasoning", nil, openAIReasoning},
		{"tools", nil, openAITools},
		{"two calls at once, streamed", nil, openAIParallelTools},
		{"JSON schema", []string{"openai", "ollama"}, openAISchema},
		{"picture", nil, openAIPicture},
		{"unknown members kept", []string{"openai"}, openAIUnknown},
		{"models", nil, openAIModels},
		{"embeddings", []string{"openai", "ollama"}, openAIEmbeddings},
		{"error: unknown model", nil, openAINotFound},
		{"error: rate limit", nil, openAIRateLimit},
		{"error: bad request", nil, openAIBadRequest},
		{"error: in mid-stream", nil, openAIBrokenStream},
	})
}

func openAIChat(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("Hello, 世界."))
	got, err := w.client().Chat.Completions.New(t.Context(), say(model, scene))
	if err != nil {
		t.Fatal(err)
	}
	if got.ID == "" || got.Created == 0 || len(got.Choices) != 1 || got.Choices[0].Message.Content != "Hello, 世界." || got.Choices[0].FinishReason != "stop" {
		t.Errorf("%s", got.RawJSON())
	}
	if got.Usage.PromptTokens == 0 || got.Usage.CompletionTokens == 0 || got.Usage.TotalTokens != got.Usage.PromptTokens+got.Usage.CompletionTokens {
		t.Errorf("usage: %s", got.Usage.RawJSON())
	}
}

// client is shorter where it is called.
func (w *world) client() *openai.Client {
	c := w.openAI()
	return &c
}

func openAIStream(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("one two three"))
	params := say(model, scene)
	params.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	stream := w.client().Chat.Completions.NewStreaming(t.Context(), params)
	defer stream.Close()
	var all openai.ChatCompletionAccumulator
	pieces := 0
	for stream.Next() {
		chunk := stream.Current()
		if !all.AddChunk(chunk) {
			t.Fatalf("a chunk that does not fit: %s", chunk.RawJSON())
		}
		if len(chunk.Choices) > 0 && chunk.Choices[0].Delta.Content != "" {
			pieces++
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if len(all.Choices) != 1 || all.Choices[0].Message.Content != "one two three" || all.Choices[0].Message.Role != "assistant" || all.Choices[0].FinishReason != "stop" || pieces < 1 {
		t.Errorf("%+v in %d pieces", all.Choices, pieces)
	}
	if all.Usage.TotalTokens == 0 {
		t.Errorf("no usage: %+v", all.Usage)
	}
}

func openAIUsage(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("one two"))
	stream := w.client().Chat.Completions.NewStreaming(t.Context(), say(model, scene))
	defer stream.Close()
	for stream.Next() {
		chunk := stream.Current()
		if len(chunk.Choices) == 0 || chunk.Usage.TotalTokens != 0 {
			t.Errorf("usage that was not asked for: %s", chunk.RawJSON())
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
}

func openAIReasoning(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Script{Steps: []provider.Step{provider.Reasoning("Hm, "), provider.Reasoning("yes."), provider.Text("Yes.")}})
	params := say(model, scene)
	params.ReasoningEffort = shared.ReasoningEffortLow
	got, err := w.client().Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	var thought string
	_ = json.Unmarshal([]byte(got.Choices[0].Message.JSON.ExtraFields["reasoning_content"].Raw()), &thought)
	if got.Choices[0].Message.Content != "Yes." || thought != "Hm, yes." {
		t.Errorf("%s", got.RawJSON())
	}
	stream := w.client().Chat.Completions.NewStreaming(t.Context(), params)
	defer stream.Close()
	thought, text := "", ""
	for stream.Next() {
		for _, choice := range stream.Current().Choices {
			var piece string
			_ = json.Unmarshal([]byte(choice.Delta.JSON.ExtraFields["reasoning_content"].Raw()), &piece)
			thought += piece
			text += choice.Delta.Content
		}
	}
	if stream.Err() != nil || thought != "Hm, yes." || text != "Yes." {
		t.Errorf("streamed: %q %q %v", thought, text, stream.Err())
	}
}

func weather() openai.ChatCompletionToolUnionParam {
	return openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name: "get_weather", Description: openai.String("The weather of a city."),
		Parameters: shared.FunctionParameters{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"}},
	})
}

// A tool is called, run, and its result brought back.
func openAITools(t *testing.T, w *world, model, scene string) {
	w.provider.ScriptEach(scene, func(n int) provider.Script {
		if n == 0 {
			return provider.Script{Steps: []provider.Step{provider.Text("Let me look. "), provider.UseTool("call_1", "get_weather", `{"city"`, `:"Wien"}`)}}
		}
		return provider.Say("It rains.")
	})
	params := say(model, scene)
	params.Tools = []openai.ChatCompletionToolUnionParam{weather()}
	got, err := w.client().Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	message := got.Choices[0].Message
	if got.Choices[0].FinishReason != "tool_calls" || len(message.ToolCalls) != 1 || message.ToolCalls[0].ID == "" || message.ToolCalls[0].Function.Name != "get_weather" {
		t.Fatalf("%s", got.RawJSON())
	}
	wantJSON(t, message.ToolCalls[0].Function.Arguments, `{"city":"Wien"}`)
	w.bodyHolds(t, scene, 0, `"get_weather"`, `"The weather of a city."`)

	params.Messages = append(params.Messages, message.ToParam(), openai.ToolMessage("18 degrees, rain", message.ToolCalls[0].ID))
	got, err = w.client().Chat.Completions.New(t.Context(), params)
	if err != nil || got.Choices[0].Message.Content != "It rains." {
		t.Fatalf("%v %+v", err, got)
	}
	w.bodyHolds(t, scene, 1, "18 degrees, rain", "Wien")
}

func openAIParallelTools(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Script{Steps: []provider.Step{
		provider.UseTool("call_1", "get_weather", `{"city":`, `"Wien"}`), provider.UseTool("call_2", "get_weather", `{"city":"Graz"}`),
	}})
	params := say(model, scene)
	params.Tools = []openai.ChatCompletionToolUnionParam{weather()}
	stream := w.client().Chat.Completions.NewStreaming(t.Context(), params)
	defer stream.Close()
	var all openai.ChatCompletionAccumulator
	for stream.Next() {
		if chunk := stream.Current(); !all.AddChunk(chunk) {
			t.Fatalf("a chunk that does not fit: %s", chunk.RawJSON())
		}
	}
	if stream.Err() != nil || len(all.Choices) != 1 || all.Choices[0].FinishReason != "tool_calls" {
		t.Fatalf("%v %+v", stream.Err(), all.Choices)
	}
	calls := all.Choices[0].Message.ToolCalls
	if len(calls) != 2 || calls[0].ID == "" || calls[0].ID == calls[1].ID {
		t.Fatalf("%+v", calls)
	}
	wantJSON(t, calls[0].Function.Arguments, `{"city":"Wien"}`)
	wantJSON(t, calls[1].Function.Arguments, `{"city":"Graz"}`)
}

func wantJSON(t *testing.T, got, want string) {
	t.Helper()
	var a, b any
	if err := errors.Join(json.Unmarshal([]byte(got), &a), json.Unmarshal([]byte(want), &b)); err != nil {
		t.Errorf("%q: %v", got, err)
	}
	if diff := cmp.Diff(b, a); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func openAISchema(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say(`{"zebra":"z","apple":1}`))
	params := say(model, scene)
	params.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
		JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "animals", Strict: openai.Bool(true), Schema: json.RawMessage(schema)},
	}}
	got, err := w.client().Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	wantJSON(t, got.Choices[0].Message.Content, `{"zebra":"z","apple":1}`)
	w.bodyHolds(t, scene, 0, schema)
}

func openAIPicture(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("A pixel."))
	got, err := w.client().Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{
		openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
			openai.TextContentPart(provider.Prompt(scene)),
			openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + pixel}),
		}),
	}})
	if err != nil || got.Choices[0].Message.Content != "A pixel." {
		t.Fatalf("%v %+v", err, got)
	}
	w.bodyHolds(t, scene, 0, pixel)
}

func openAIUnknown(t *testing.T, w *world, model, scene string) {
	_, err := w.client().Chat.Completions.New(t.Context(), say(model, scene),
		option.WithJSONSet("chat_template_kwargs", map[string]any{"enable_thinking": false}), option.WithJSONSet("big", json.Number("9007199254740993")))
	if err != nil {
		t.Fatal(err)
	}
	w.bodyHolds(t, scene, 0, `"enable_thinking":false`, "9007199254740993")
}

func openAIModels(t *testing.T, w *world, model, _ string) {
	page, err := w.client().Models.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, m := range page.Data {
		found = found || strings.TrimSuffix(m.ID, ":latest") == model
		if m.Object != "model" || m.OwnedBy == "" {
			t.Errorf("%s", m.RawJSON())
		}
	}
	if !found {
		t.Errorf("%s is not listed in %+v", model, page.Data)
	}
	if one, err := w.client().Models.Get(t.Context(), model); err != nil || strings.TrimSuffix(one.ID, ":latest") != model {
		t.Errorf("%v %+v", err, one)
	}
}

func openAIEmbeddings(t *testing.T, w *world, model, _ string) {
	embedder := "oscar-embed"
	if model == wires[2].model {
		embedder = "ollie-embed"
	}
	params := openai.EmbeddingNewParams{Model: embedder, Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"four", "sixsix"}}}
	got, err := w.client().Embeddings.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Data) != 2 || got.Data[1].Index != 1 {
		t.Fatalf("%s", got.RawJSON())
	}
	if diff := cmp.Diff([]float64{4, 2, -1, 0.5}, got.Data[0].Embedding); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Other libraries ask for base64 unless told otherwise.
	params.EncodingFormat = openai.EmbeddingNewParamsEncodingFormatBase64
	resp := new(http.Response)
	raw, err := w.client().Embeddings.New(t.Context(), params, option.WithResponseInto(&resp))
	var text struct {
		Data []struct {
			Embedding string `json:"embedding"`
		} `json:"data"`
	}
	if raw != nil {
		_ = json.Unmarshal([]byte(raw.RawJSON()), &text)
	}
	if len(text.Data) != 2 || text.Data[0].Embedding != "AACAQAAAAEAAAIC/AAAAPw==" {
		t.Errorf("base64: %v %+v", err, text)
	}
}

func apiError(t *testing.T, err error) *openai.Error {
	t.Helper()
	var typed *openai.Error
	if !errors.As(err, &typed) {
		t.Fatalf("%v is no error of the API", err)
	}
	if typed.Message == "" || typed.Type == "" {
		t.Errorf("an error without message or type: %s", typed.RawJSON())
	}
	return typed
}

func openAINotFound(t *testing.T, w *world, model, scene string) {
	_, err := w.client().Chat.Completions.New(t.Context(), say(model+"-unknown", scene))
	if e := apiError(t, err); e.StatusCode != 404 || e.Code != "model_not_found" {
		t.Errorf("%d %s", e.StatusCode, e.RawJSON())
	}
	_, err = w.client().Models.Get(t.Context(), model+"-unknown")
	if e := apiError(t, err); e.StatusCode != 404 || e.Code != "model_not_found" {
		t.Errorf("%d %s", e.StatusCode, e.RawJSON())
	}
}

func openAIRateLimit(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Script{Steps: []provider.Step{provider.RefuseFor(429, "rate_limit_exceeded", "9")}})
	stream := w.client().Chat.Completions.NewStreaming(t.Context(), say(model, scene))
	defer stream.Close()
	for stream.Next() {
		t.Errorf("a chunk: %s", stream.Current().RawJSON())
	}
	if e := apiError(t, stream.Err()); e.StatusCode != 429 || e.Response.Header.Get("Retry-After") != "9" {
		t.Errorf("%d, Retry-After %q: %s", e.StatusCode, e.Response.Header.Get("Retry-After"), e.RawJSON())
	}
}

func openAIBadRequest(t *testing.T, w *world, model, scene string) {
	params := say(model, scene)
	params.Temperature = openai.Float(99)
	_, err := w.client().Chat.Completions.New(t.Context(), params)
	if e := apiError(t, err); e.StatusCode != 400 || e.Param != "temperature" {
		t.Errorf("%d %s", e.StatusCode, e.RawJSON())
	}
	_, err = w.client().Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{}})
	if e := apiError(t, err); e.StatusCode != 400 {
		t.Errorf("%d %s", e.StatusCode, e.RawJSON())
	}
}

func openAIBrokenStream(t *testing.T, w *world, model, scene string) {
	for name, end := range brokenOff {
		scene := scene + name
		seen := w.breakOff(scene, end)
		stream := w.client().Chat.Completions.NewStreaming(t.Context(), say(model, scene))
		text, finish := "", ""
		for stream.Next() {
			for _, choice := range stream.Current().Choices {
				text += choice.Delta.Content
				finish += choice.FinishReason
			}
			if text != "" {
				seen()
			}
		}
		if stream.Err() == nil || finish != "" || text != "one two three" {
			t.Errorf("%s: text %q, finish reason %q, error %v", name, text, finish, stream.Err())
		}
		_ = stream.Close()
	}
}
