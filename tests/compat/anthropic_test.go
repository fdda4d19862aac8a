package compat

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/google/go-cmp/cmp"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

func (w *world) anthropic() *anthropic.Client {
	c := anthropic.NewClient(option.WithBaseURL(w.URL), option.WithAPIKey("any"), option.WithMaxRetries(0), option.WithHTTPClient(w.HTTP()))
	return &c
}

func message(model, scene string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{
		Model: anthropic.Model(model), MaxTokens: 2048, System: []anthropic.TextBlockParam{{Text: "Be brief."}},
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(provider.Prompt(scene)))},
	}
}

// TestAnthropicSDK is Anthropic's own library for Go.
func TestAnthropicSDK(t *testing.T) {
	t.Parallel()
	w := start(t)
	runAll(t, w, client{"anthropic-sdk-go", "/v1/messages", []string{"github.com/anthropics/anthropic-sdk-go"}}, []feature{
		{"message", nil, anthropicMessage},
		{"message, streamed", nil, anthropicStream},
		{"thinking, streamed", nil, anthropicThinking},
		{"tools, two at once, streamed", nil, anthropicTools},
		{"picture", nil, anthropicPicture},
		{"tokens counted", nil, anthropicCount},
		{"models", nil, anthropicModels},
		{"error: unknown model", nil, anthropicNotFound},
		{"error: rate limit", nil, anthropicRateLimit},
		{"error: in mid-stream", nil, anthropicBroken},
	})
}

func anthropicMessage(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("Hello, 世界."))
	got, err := w.anthropic().Messages.New(t.Context(), message(model, scene))
	if err != nil {
		t.Fatal(err)
	}
	if got.ID == "" || got.Role != "assistant" || got.StopReason != anthropic.StopReasonEndTurn || len(got.Content) != 1 || got.Content[0].Text != "Hello, 世界." ||
		got.Usage.InputTokens == 0 || got.Usage.OutputTokens == 0 {
		t.Errorf("%s", got.RawJSON())
	}
}

// read puts a stream together as the SDK does.
func read(t *testing.T, w *world, params anthropic.MessageNewParams) (anthropic.Message, error) {
	t.Helper()
	stream := w.anthropic().Messages.NewStreaming(t.Context(), params)
	defer stream.Close()
	var all anthropic.Message
	for stream.Next() {
		event := stream.Current()
		if start, ok := event.AsAny().(anthropic.MessageStartEvent); ok && start.Message.Usage.InputTokens == 0 {
			t.Error("message_start has no input tokens")
		}
		if err := all.Accumulate(event); err != nil {
			t.Fatal(err)
		}
	}
	return all, stream.Err()
}

func anthropicStream(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("one two three"))
	got, err := read(t, w, message(model, scene))
	if err != nil || len(got.Content) != 1 || got.Content[0].Text != "one two three" || got.StopReason != anthropic.StopReasonEndTurn || got.Usage.OutputTokens == 0 {
		t.Errorf("%v %+v", err, got)
	}
}

func anthropicThinking(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Script{Steps: []provider.Step{provider.Reasoning("Hm, "), provider.Reasoning("yes."), provider.Text("Yes.")}})
	params := message(model, scene)
	params.Thinking = anthropic.ThinkingConfigParamOfEnabled(1024)
	got, err := read(t, w, params)
	if err != nil || len(got.Content) != 2 || got.Content[0].Thinking != "Hm, yes." || got.Content[1].Text != "Yes." {
		t.Errorf("%v %+v", err, got.Content)
	}
}

func anthropicTools(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Script{Steps: []provider.Step{
		provider.UseTool("call_a", "weather", `{"zebra":`, `"Wien","apple":2}`), provider.UseTool("call_b", "weather", `{"zebra":"Graz"}`),
	}})
	params := message(model, scene)
	params.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{Name: "weather", InputSchema: anthropic.ToolInputSchemaParam{
		Properties: map[string]any{"zebra": map[string]any{"type": "string"}},
	}}}}
	first, err := read(t, w, params)
	if err != nil || first.StopReason != anthropic.StopReasonToolUse || len(first.Content) != 2 {
		t.Fatalf("%v %+v", err, first)
	}
	var got []string
	for _, block := range first.Content {
		got = append(got, block.Name+" "+string(block.Input))
	}
	if diff := cmp.Diff([]string{`weather {"zebra":"Wien","apple":2}`, `weather {"zebra":"Graz"}`}, got); diff != "" || first.Content[0].ID == first.Content[1].ID {
		t.Error(diff, first.Content)
	}
	w.provider.Script(scene, provider.Say("It rains."))
	params.Messages = append(params.Messages, first.ToParam(), anthropic.NewUserMessage(
		anthropic.NewToolResultBlock(first.Content[0].ID, "18 degrees", false), anthropic.NewToolResultBlock(first.Content[1].ID, "21 degrees", false),
		anthropic.NewTextBlock("Go on.")))
	second, err := read(t, w, params)
	if err != nil || len(second.Content) != 1 || second.Content[0].Text != "It rains." {
		t.Errorf("%v %+v", err, second)
	}
	w.bodyHolds(t, scene, 1, "18 degrees", "21 degrees", "Go on.", "Wien", "Graz")
}

func anthropicPicture(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("A pixel."))
	params := message(model, scene)
	params.Messages[0].Content = append(params.Messages[0].Content, anthropic.NewImageBlockBase64("image/png", pixel))
	if _, err := w.anthropic().Messages.New(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	w.bodyHolds(t, scene, 0, pixel)
}

func anthropicCount(t *testing.T, w *world, model, scene string) {
	got, err := w.anthropic().Messages.CountTokens(t.Context(), anthropic.MessageCountTokensParams{
		Model: anthropic.Model(model), Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("How many tokens is this?"))},
	})
	if err != nil || got.InputTokens < 3 || got.InputTokens > 100 {
		t.Errorf("%v %+v", err, got)
	}
}

func anthropicModels(t *testing.T, w *world, model, _ string) {
	pages := w.anthropic().Models.ListAutoPaging(t.Context(), anthropic.ModelListParams{})
	found := false
	for pages.Next() {
		m := pages.Current()
		found = found || strings.TrimSuffix(m.ID, ":latest") == model
		if m.ID == "" || m.Type != "model" || m.DisplayName == "" || m.CreatedAt.IsZero() {
			t.Errorf("%s", m.RawJSON())
		}
	}
	if err := pages.Err(); err != nil || !found {
		t.Errorf("%v, found %v", err, found)
	}
}

func anthropicNotFound(t *testing.T, w *world, _, scene string) {
	_, err := w.anthropic().Messages.New(t.Context(), message("nobody", scene))
	wantAnthropicError(t, err, http.StatusNotFound, "not_found_error")
}

func anthropicRateLimit(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Script{Steps: []provider.Step{provider.RefuseFor(429, "rate_limit_exceeded", "7")}})
	_, err := w.anthropic().Messages.New(t.Context(), message(model, scene))
	if failure := wantAnthropicError(t, err, http.StatusTooManyRequests, "rate_limit_error"); failure != nil && failure.Response.Header.Get("Retry-After") != "7" {
		t.Errorf("Retry-After: %q", failure.Response.Header.Get("Retry-After"))
	}
}

func wantAnthropicError(t *testing.T, err error, status int, kind string) *anthropic.Error {
	t.Helper()
	var failure *anthropic.Error
	if !errors.As(err, &failure) || failure.StatusCode != status {
		t.Errorf("want status %d: %v", status, err)
		return nil
	}
	var body struct {
		Type  string
		Error struct{ Type, Message string }
	}
	if json.Unmarshal([]byte(failure.RawJSON()), &body) != nil || body.Type != "error" || body.Error.Type != kind || body.Error.Message == "" {
		t.Errorf("%s", failure.RawJSON())
	}
	return failure
}

func anthropicBroken(t *testing.T, w *world, model, scene string) {
	for name, end := range brokenOff {
		one := scene + name
		seen := w.breakOff(one, end)
		stream := w.anthropic().Messages.NewStreaming(t.Context(), message(model, one))
		text := ""
		for stream.Next() {
			if delta, ok := stream.Current().AsAny().(anthropic.ContentBlockDeltaEvent); ok {
				text += delta.Delta.Text
				seen()
			}
			if stream.Current().Type == "message_stop" {
				t.Errorf("%s: a broken answer has a good end", name)
			}
		}
		if stream.Err() == nil || text == "" {
			t.Errorf("%s: no error after %q", name, text)
		}
		stream.Close()
	}
}
