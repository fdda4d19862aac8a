package compat

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
	"github.com/ollama/ollama/api"
)

func (w *world) ollama(t *testing.T) *api.Client {
	t.Helper()
	base, err := url.Parse(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	return api.NewClient(base, w.HTTP())
}

func chat(model, scene string) *api.ChatRequest {
	return &api.ChatRequest{Model: model, Messages: []api.Message{{Role: "system", Content: "Be brief."}, {Role: "user", Content: provider.Prompt(scene)}}}
}

// TestOllamaClient is Ollama's own library for Go.
func TestOllamaClient(t *testing.T) {
	t.Parallel()
	w := start(t)
	runAll(t, w, client{"ollama/api (Go)", "/api/chat", []string{"github.com/ollama/ollama"}}, []feature{
		{"version, heartbeat, ps", nil, ollamaServer},
		{"list and show", nil, ollamaModels},
		{"chat, streamed", nil, ollamaChat},
		{"chat, whole", nil, ollamaWhole},
		{"thinking", nil, ollamaThinking},
		{"tools", nil, ollamaTools},
		{"JSON schema", []string{"openai", "ollama"}, ollamaSchema},
		{"picture", nil, ollamaPicture},
		{"generate", nil, ollamaGenerate},
		{"embed", []string{"openai", "ollama"}, ollamaEmbed},
		{"error: unknown model", nil, ollamaNotFound},
		{"error: in mid-stream", nil, ollamaBroken},
	})
}

func ollamaServer(t *testing.T, w *world, _, _ string) {
	if err := w.ollama(t).Heartbeat(t.Context()); err != nil {
		t.Error(err)
	}
	version, err := w.ollama(t).Version(t.Context())
	if err != nil || strings.Count(version, ".") != 2 {
		t.Errorf("%v %q", err, version)
	}
	if running, err := w.ollama(t).ListRunning(t.Context()); err != nil || running.Models == nil {
		t.Errorf("%v %+v", err, running)
	}
}

func ollamaModels(t *testing.T, w *world, model, _ string) {
	list, err := w.ollama(t).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, m := range list.Models {
		found = found || strings.TrimSuffix(m.Name, ":latest") == model
		if m.Name == "" || m.Model == "" || m.ModifiedAt.IsZero() || len(m.Digest) != 64 || m.Details.Format == "" || m.Details.Family == "" || m.Details.ParameterSize == "" || m.Details.QuantizationLevel == "" {
			t.Errorf("%+v", m)
		}
	}
	if !found {
		t.Errorf("%s is not in %+v", model, list.Models)
	}
	for _, name := range []string{model, model + ":latest", strings.ToUpper(model)} {
		shown, err := w.ollama(t).Show(t.Context(), &api.ShowRequest{Model: name})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		architecture, _ := shown.ModelInfo["general.architecture"].(string)
		length, _ := shown.ModelInfo[architecture+".context_length"].(float64)
		if len(shown.Capabilities) == 0 || architecture == "" || length <= 0 || shown.ModelInfo["general.basename"] == nil || shown.Template == "" {
			t.Errorf("%+v", shown)
		}
	}
}

// collect asks and puts the pieces together.
func collect(t *testing.T, client *api.Client, request *api.ChatRequest) (api.ChatResponse, []api.ChatResponse, error) {
	t.Helper()
	var all api.ChatResponse
	var pieces []api.ChatResponse
	err := client.Chat(t.Context(), request, func(r api.ChatResponse) error {
		pieces = append(pieces, r)
		all.Model, all.Done, all.DoneReason, all.Metrics = r.Model, r.Done, r.DoneReason, r.Metrics
		all.Message.Role = r.Message.Role
		all.Message.Content += r.Message.Content
		all.Message.Thinking += r.Message.Thinking
		all.Message.ToolCalls = append(all.Message.ToolCalls, r.Message.ToolCalls...)
		return nil
	})
	return all, pieces, err
}

func ollamaChat(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("one two 世界"))
	all, pieces, err := collect(t, w.ollama(t), chat(model, scene))
	if err != nil || all.Message.Content != "one two 世界" || !all.Done || all.DoneReason != "stop" || all.Model != model || len(pieces) < 2 {
		t.Fatalf("%v %+v in %d pieces", err, all, len(pieces))
	}
	if all.PromptEvalCount == 0 || all.EvalCount == 0 || all.TotalDuration == 0 {
		t.Errorf("statistics: %+v", all.Metrics)
	}
	for _, piece := range pieces {
		if piece.Message.Role != "assistant" || piece.CreatedAt.IsZero() || piece.Model != model || !piece.Done && piece.EvalCount != 0 {
			t.Errorf("%+v", piece)
		}
	}
	// Names are taken without regard to case and tag, and repeated as asked.
	request := chat(strings.ToUpper(model)+":latest", scene)
	if all, _, err := collect(t, w.ollama(t), request); err != nil || all.Model != request.Model {
		t.Errorf("%v %+v", err, all)
	}
}

func ollamaWhole(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("one two three"))
	request := chat(model, scene)
	request.Stream = new(bool)
	request.Options = map[string]any{"temperature": 0.5, "num_predict": 7, "stop": []string{"END"}}
	all, pieces, err := collect(t, w.ollama(t), request)
	if err != nil || all.Message.Content != "one two three" || !all.Done || len(pieces) != 1 {
		t.Fatalf("%v %+v in %d pieces", err, all, len(pieces))
	}
	w.bodyHolds(t, scene, 0, "0.5", "END")
}

func ollamaThinking(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Script{Steps: []provider.Step{provider.Reasoning("Hm, "), provider.Reasoning("yes."), provider.Text("Yes.")}})
	request := chat(model, scene)
	request.Think = &api.ThinkValue{Value: true}
	all, _, err := collect(t, w.ollama(t), request)
	if err != nil || all.Message.Thinking != "Hm, yes." || all.Message.Content != "Yes." {
		t.Fatalf("%v %+v", err, all)
	}
	// What thinks and what does not may be told not to.
	request.Think = &api.ThinkValue{Value: false}
	if all, _, err := collect(t, w.ollama(t), request); err != nil || !all.Done {
		t.Errorf("%v %+v", err, all)
	}
}

func ollamaTools(t *testing.T, w *world, model, scene string) {
	w.provider.ScriptEach(scene, func(n int) provider.Script {
		if n == 0 {
			return provider.Script{Steps: []provider.Step{
				provider.UseTool("call_1", "get_weather", `{"city":`, `"Wien","days":2}`), provider.UseTool("call_2", "get_weather", `{"city":"Graz"}`),
			}}
		}
		return provider.Say("It rains.")
	})
	var tools api.Tools
	if err := json.Unmarshal([]byte(`[{"type":"function","function":{"name":"get_weather","description":"The weather of a city.","parameters":{"type":"object","required":["city"],"properties":{"city":{"type":"string"},"days":{"type":"integer"}}}}}]`), &tools); err != nil {
		t.Fatal(err)
	}
	request := chat(model, scene)
	request.Tools = tools
	all, pieces, err := collect(t, w.ollama(t), request)
	if err != nil || !all.Done || all.DoneReason != "stop" || len(all.Message.ToolCalls) != 2 {
		t.Fatalf("%v %+v", err, all)
	}
	if last := pieces[len(pieces)-1]; len(last.Message.ToolCalls) != 0 {
		t.Errorf("calls stand in the last piece: %+v", last)
	}
	for i, want := range []string{`{"city":"Wien","days":2}`, `{"city":"Graz"}`} {
		call := all.Message.ToolCalls[i]
		arguments, err := json.Marshal(call.Function.Arguments)
		if err != nil || call.Function.Name != "get_weather" || call.Function.Index != i {
			t.Errorf("%v %+v", err, call)
		}
		wantJSON(t, string(arguments), want)
	}
	// Results come back by name and order, as Ollama's clients send them.
	request.Messages = append(request.Messages, api.Message{Role: "assistant", ToolCalls: all.Message.ToolCalls},
		api.Message{Role: "tool", ToolName: "get_weather", Content: "18 degrees"}, api.Message{Role: "tool", ToolName: "get_weather", Content: "21 degrees"})
	all, _, err = collect(t, w.ollama(t), request)
	if err != nil || all.Message.Content != "It rains." {
		t.Fatalf("%v %+v", err, all)
	}
	w.bodyHolds(t, scene, 1, "18 degrees", "21 degrees", "Wien", "Graz")
}

func ollamaSchema(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say(`{"zebra":"z","apple":1}`))
	request := chat(model, scene)
	request.Format = json.RawMessage(schema)
	all, _, err := collect(t, w.ollama(t), request)
	if err != nil {
		t.Fatal(err)
	}
	wantJSON(t, all.Message.Content, `{"zebra":"z","apple":1}`)
	w.bodyHolds(t, scene, 0, schema)
}

func ollamaPicture(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("A pixel."))
	request := chat(model, scene)
	var picture struct{ Data []byte }
	if err := json.Unmarshal([]byte(`{"Data":"`+pixel+`"}`), &picture); err != nil {
		t.Fatal(err)
	}
	request.Messages[1].Images = []api.ImageData{picture.Data}
	all, _, err := collect(t, w.ollama(t), request)
	if err != nil || all.Message.Content != "A pixel." {
		t.Fatalf("%v %+v", err, all)
	}
	w.bodyHolds(t, scene, 0, pixel)
}

func ollamaGenerate(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("one two three"))
	for _, stream := range []bool{true, false} {
		text := ""
		var last api.GenerateResponse
		err := w.ollama(t).Generate(t.Context(), &api.GenerateRequest{Model: model, Prompt: provider.Prompt(scene), System: "Be brief.", Stream: &stream}, func(r api.GenerateResponse) error {
			text += r.Response
			last = r
			return nil
		})
		if err != nil || text != "one two three" || !last.Done || last.DoneReason != "stop" || last.EvalCount == 0 {
			t.Errorf("stream %v: %v %q %+v", stream, err, text, last)
		}
	}
	// An empty prompt loads the model.
	err := w.ollama(t).Generate(t.Context(), &api.GenerateRequest{Model: model}, func(r api.GenerateResponse) error {
		if !r.Done || r.DoneReason != "load" {
			t.Errorf("%+v", r)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func ollamaEmbed(t *testing.T, w *world, model, _ string) {
	embedder := "oscar-embed"
	if model == wires[2].model {
		embedder = "ollie-embed"
	}
	got, err := w.ollama(t).Embed(t.Context(), &api.EmbedRequest{Model: embedder, Input: []string{"four", "sixsix"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]float32{{4, 2, -1, 0.5}, {6, 3, -1.5, 0.5}}, got.Embeddings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func ollamaNotFound(t *testing.T, w *world, model, scene string) {
	for _, stream := range []bool{true, false} {
		request := chat(model+"-unknown", scene)
		request.Stream = &stream
		_, _, err := collect(t, w.ollama(t), request)
		var typed api.StatusError
		if !errors.As(err, &typed) || typed.StatusCode != http.StatusNotFound || !strings.Contains(typed.ErrorMessage, "not found") {
			t.Errorf("stream %v: %v", stream, err)
		}
	}
	var typed api.StatusError
	if _, err := w.ollama(t).Show(context.WithoutCancel(t.Context()), &api.ShowRequest{Model: model + "-unknown"}); !errors.As(err, &typed) || typed.StatusCode != http.StatusNotFound {
		t.Errorf("show: %v", err)
	}
}

func ollamaBroken(t *testing.T, w *world, model, scene string) {
	for name, end := range brokenOff {
		scene := scene + name
		seen := w.breakOff(scene, end)
		text, done := "", false
		err := w.ollama(t).Chat(t.Context(), chat(model, scene), func(r api.ChatResponse) error {
			if text += r.Message.Content; text != "" {
				seen()
			}
			done = done || r.Done
			return nil
		})
		if err == nil || done || text != "one two three" {
			t.Errorf("%s: text %q, done %v, error %v", name, text, done, err)
		}
	}
}
