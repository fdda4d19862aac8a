package compat

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// TestPlugins sends what editors' plugins send, and reads the answers as strictly
// as their parsers do. Each stands for one parser: a member that is missing, null
// or of another kind there breaks the plugin, and breaks the test.
func TestPlugins(t *testing.T) {
	t.Parallel()
	w := start(t)
	runAll(t, w, client{"Editors' parsers", "/api/*, /v1/*", nil}, []feature{
		{"Zed, ollama", nil, zedOllama},
		{"Zed, OpenAI-compatible", nil, zedOpenAI},
		{"Roo Code, ollama", nil, rooOllama},
		{"VS Code Copilot, ollama", nil, copilot},
		{"VS Code, custom endpoint", nil, customEndpoint},
		{"Continue, ollama", nil, continueOllama},
		{"Cline, ollama", nil, clineOllama},
		{"Cline, OpenAI", nil, clineOpenAI},
		{"JetBrains AI, ollama", nil, jetBrains},
		{"Open WebUI", nil, openWebUI},
	})
}

// fetch sends a request as plugins do and returns a body with status 200.
func (w *world) fetch(t *testing.T, method, path, body string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	resp, err := w.HTTP().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, out, err)
	}
	return out
}

// strict decodes JSON where members named in want, by their path, must be there
// and not null, as decoders without defaults demand.
func strict(t *testing.T, data []byte, out any, want ...string) {
	t.Helper()
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	var loose any
	_ = json.Unmarshal(data, &loose)
	for _, path := range want {
		for _, missing := range absent(loose, path, path) {
			t.Errorf("no %s in %.600s", missing, data)
		}
	}
}

// absent are the paths below v that are not there; "[]" stands for every element.
func absent(v any, path, whole string) []string {
	if path == "" {
		if v == nil {
			return []string{whole}
		}
		return nil
	}
	name, rest, _ := strings.Cut(path, ".")
	name, list := strings.CutSuffix(name, "[]")
	object, ok := v.(map[string]any)
	if !ok {
		return []string{whole}
	}
	inner := object[name]
	if !list {
		return absent(inner, rest, whole)
	}
	elements, ok := inner.([]any)
	if !ok {
		return []string{whole}
	}
	var out []string
	for _, element := range elements {
		out = append(out, absent(element, rest, whole)...)
	}
	return out
}

var tagPaths = []string{"models[].name", "models[].model", "models[].modified_at", "models[].size", "models[].digest",
	"models[].details.parent_model", "models[].details.format", "models[].details.family", "models[].details.parameter_size",
	"models[].details.quantization_level"}

type tagList struct {
	Models []struct {
		Name, Model, Digest string
		ModifiedAt          time.Time `json:"modified_at"`
		Size                uint64
		Capabilities        []string
	}
}

// tags reads /api/tags and returns the full name of a model.
func (w *world) tags(t *testing.T, model string) string {
	t.Helper()
	var list tagList
	strict(t, w.fetch(t, "GET", "/api/tags", ""), &list, tagPaths...)
	for _, m := range list.Models {
		if strings.TrimSuffix(m.Name, ":latest") == model {
			return m.Name
		}
	}
	t.Fatalf("%s is not in the list", model)
	return ""
}

type shown struct {
	Capabilities []string
	ModelInfo    map[string]any `json:"model_info"`
	Template     string
	Parameters   string
}

func (w *world) show(t *testing.T, body string) shown {
	t.Helper()
	var out shown
	strict(t, w.fetch(t, "POST", "/api/show", body), &out, "capabilities", "model_info", "template", "parameters", "modified_at", "modelfile", "license",
		"details.parent_model", "details.format", "details.family", "details.families", "details.parameter_size", "details.quantization_level")
	return out
}

func (s shown) can(word string) bool {
	for _, c := range s.Capabilities {
		if c == word {
			return true
		}
	}
	return false
}

// context is the length as every plugin looks for it.
func (s shown) context() float64 {
	architecture, _ := s.ModelInfo["general.architecture"].(string)
	length, _ := s.ModelInfo[architecture+".context_length"].(float64)
	return length
}

// line is one of Ollama's answer.
type line struct {
	Model     string
	CreatedAt time.Time `json:"created_at"`
	Message   struct {
		Role, Content, Thinking string
		ToolCalls               []struct {
			ID       string
			Function struct {
				Name      string
				Arguments map[string]any
			}
		} `json:"tool_calls"`
	}
	Response   string
	Done       bool
	DoneReason string `json:"done_reason"`
	EvalCount  int    `json:"eval_count"`
}

// lines reads a stream of them; every one has what Zed's parser wants of it.
func (w *world) lines(t *testing.T, path, body string, want ...string) (out []line) {
	t.Helper()
	data := w.fetch(t, "POST", path, body)
	if !bytes.HasSuffix(data, []byte("\n")) {
		t.Error("the last line has no end")
	}
	scanner := bufio.NewScanner(bytes.NewReader(data))
	scanner.Buffer(nil, 8<<20)
	for scanner.Scan() {
		var one line
		strict(t, scanner.Bytes(), &one, append([]string{"model", "created_at", "done"}, want...)...)
		out = append(out, one)
	}
	if len(out) == 0 || !out[len(out)-1].Done || out[len(out)-1].DoneReason != "stop" || out[len(out)-1].EvalCount == 0 {
		t.Fatalf("no good last line: %s", data)
	}
	return out
}

func contents(lines []line) (text string) {
	for _, l := range lines {
		text += l.Message.Content + l.Response
	}
	return text
}

const tool = `{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}`

func ask(model, scene, more string) string {
	return fmt.Sprintf(`{"model":%q,"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":%q}]%s}`, model, provider.Prompt(scene), more)
}

func zedOllama(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Script{Steps: []provider.Step{provider.Text("Let me see. "), provider.UseTool("call_a", "weather", `{"city":"Wien"}`)}})
	name := w.tags(t, model)
	if s := w.show(t, fmt.Sprintf(`{"model":%q}`, name)); !s.can("tools") || s.context() <= 0 {
		t.Errorf("%+v", s)
	}
	got := w.lines(t, "/api/chat", ask(name, scene, `,"stream":true,"keep_alive":-1,"think":false,"options":{"num_ctx":131072,"stop":[]},"tools":[`+tool+`]`), "message.role", "message.content")
	calls := 0
	for _, l := range got {
		calls += len(l.Message.ToolCalls)
		if l.Done && len(l.Message.ToolCalls) > 0 {
			t.Error("calls on the last line")
		}
	}
	if contents(got) != "Let me see. " || calls != 1 {
		t.Errorf("%+v", got)
	}
}

// chunks reads a stream of OpenAI's, each chunk with what strict parsers want.
func (w *world) chunks(t *testing.T, body string) (text, finish string, calls map[float64]string, usage map[string]any) {
	t.Helper()
	calls = map[float64]string{}
	data := w.fetch(t, "POST", "/v1/chat/completions", body)
	if !bytes.HasSuffix(data, []byte("data: [DONE]\n\n")) {
		t.Fatalf("no end: %s", data)
	}
	for event := range strings.SplitSeq(string(data), "\n\n") {
		one, ok := strings.CutPrefix(event, "data: ")
		if !ok || one == "[DONE]" {
			continue
		}
		var chunk struct {
			Object  string
			Choices []struct {
				Delta struct {
					Content   *string
					ToolCalls []map[string]any `json:"tool_calls"`
				}
				FinishReason *string `json:"finish_reason"`
			}
			Usage map[string]any
		}
		strict(t, []byte(one), &chunk, "id", "object", "created", "model", "choices", "choices[].index", "choices[].delta")
		if chunk.Object != "chat.completion.chunk" {
			t.Error(one)
		}
		if chunk.Usage != nil {
			usage = chunk.Usage
			strict(t, []byte(one), &chunk, "usage.prompt_tokens", "usage.completion_tokens", "usage.total_tokens")
		}
		for _, choice := range chunk.Choices {
			if choice.Delta.Content != nil {
				text += *choice.Delta.Content
			}
			if choice.FinishReason != nil {
				finish = *choice.FinishReason
			}
			for _, call := range choice.Delta.ToolCalls {
				index, ok := call["index"].(float64)
				function, _ := call["function"].(map[string]any)
				if !ok {
					t.Errorf("a call without an index: %s", one)
				}
				arguments, _ := function["arguments"].(string)
				calls[index] += arguments
			}
		}
	}
	return text, finish, calls, usage
}

func zedOpenAI(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Script{Steps: []provider.Step{
		provider.Text("Let me see."), provider.UseTool("call_a", "weather", `{"city":`, `"Wien"}`), provider.UseTool("call_b", "weather", `{"city":"Graz"}`),
	}})
	text, finish, calls, usage := w.chunks(t, ask(model, scene, `,"stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":4096,"parallel_tool_calls":false,"tools":[`+tool+`]`))
	if text != "Let me see." || finish != "tool_calls" || calls[0] != `{"city":"Wien"}` || calls[1] != `{"city":"Graz"}` || usage == nil {
		t.Errorf("%q %q %v %v", text, finish, calls, usage)
	}
}

// rooOllama: zod takes nothing but strings in details, and hides models without
// tools.
func rooOllama(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("one two"))
	name := w.tags(t, model)
	s := w.show(t, fmt.Sprintf(`{"model":%q}`, name))
	length := 0.0
	for key, value := range s.ModelInfo {
		if n, ok := value.(float64); ok && strings.HasSuffix(key, ".context_length") {
			length = n
		}
	}
	if !s.can("tools") || length <= 0 {
		t.Errorf("hidden: %+v", s)
	}
	if got := w.lines(t, "/api/chat", ask(name, scene, `,"stream":true,"options":{"temperature":0,"num_ctx":32768}`), "message.role", "message.content"); contents(got) != "one two" {
		t.Errorf("%+v", got)
	}
}

var versionPattern = regexp.MustCompile(`^(\d+)\.(\d+)\.(\d+)`)

// copilot compares the version, calls .includes on capabilities, and goes on in
// OpenAI's dialect without a key.
func copilot(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("one two"))
	var version struct{ Version string }
	strict(t, w.fetch(t, "GET", "/api/version", ""), &version, "version")
	parts := versionPattern.FindStringSubmatch(version.Version)
	if parts == nil {
		t.Fatalf("version %q", version.Version)
	}
	number := 0
	for _, part := range parts[1:] {
		n, _ := strconv.Atoi(part)
		number = number*1000 + n
	}
	if number < 6_004 {
		t.Errorf("version %s is below 0.6.4", version.Version)
	}
	name := w.tags(t, model)
	s := w.show(t, fmt.Sprintf(`{"model":%q}`, name))
	if s.context() <= 0 || s.ModelInfo["general.basename"] == nil || s.Capabilities == nil {
		t.Errorf("%+v", s)
	}
	if text, finish, _, _ := w.chunks(t, ask(name, scene, `,"stream":true,"stream_options":{"include_usage":true},"n":1,"top_p":1,"temperature":0.1`)); text != "one two" || finish != "stop" {
		t.Errorf("%q %q", text, finish)
	}
}

func customEndpoint(t *testing.T, w *world, model, _ string) {
	var list struct {
		Data []struct {
			ID             string
			MaxInputTokens int64
			ToolCalling    bool
		}
	}
	strict(t, w.fetch(t, "GET", "/v1/models", ""), &list, "object", "data[].id", "data[].object", "data[].created", "data[].owned_by")
	for _, m := range list.Data {
		if strings.TrimSuffix(m.ID, ":latest") == model && m.MaxInputTokens > 0 && m.ToolCalling {
			return
		}
	}
	t.Errorf("%s is not there, or lacks what the editor reads: %+v", model, list.Data)
}

// continueOllama shows by the old member name, splits parameters by lines, and
// completes with raw prompts.
func continueOllama(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("return 1"))
	s := w.show(t, fmt.Sprintf(`{"name":%q}`, model))
	if s.Parameters != "" {
		for _, one := range strings.Split(s.Parameters, "\n") {
			if key, value, ok := strings.Cut(strings.TrimSpace(one), " "); !ok || key == "" || strings.TrimSpace(value) == "" {
				t.Errorf("parameters: %q", s.Parameters)
			}
		}
	}
	if strings.Contains(s.Template, ".Suffix") != s.can("insert") {
		t.Errorf("FIM: %+v", s)
	}
	body := fmt.Sprintf(`{"model":%q,"prompt":%q,"raw":true,"keep_alive":1800,"stream":true,"options":{"num_predict":64,"stop":["\n\n"],"num_ctx":4096}}`, model, provider.Prompt(scene))
	if got := w.lines(t, "/api/generate", body, "response"); contents(got) != "return 1" {
		t.Errorf("%+v", got)
	}
}

func clineOllama(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("one two"))
	name := w.tags(t, model)
	if got := w.lines(t, "/api/chat", ask(name, scene, `,"stream":true,"options":{"num_ctx":32768}`), "message.role", "message.content"); contents(got) != "one two" {
		t.Errorf("%+v", got)
	}
}

// clineOpenAI asks for usage and reads choices[0]?.delta of every chunk.
func clineOpenAI(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("one two"))
	text, finish, _, usage := w.chunks(t, ask(model, scene, `,"stream":true,"stream_options":{"include_usage":true},"temperature":0`))
	if text != "one two" || finish != "stop" || usage == nil {
		t.Errorf("%q %q %v", text, finish, usage)
	}
	w.provider.Script(scene, provider.Say("one two"))
	if _, _, _, usage := w.chunks(t, ask(model, scene, `,"stream":true`)); usage != nil {
		t.Errorf("usage that was not asked for: %v", usage)
	}
}

// jetBrains registers a model by /api/show, and cannot read an empty or failed
// answer there; its decoder (kotlinx) takes no null where it wants a value.
func jetBrains(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("one two"))
	if body := string(w.fetch(t, "GET", "/", "")); body != "Ollama is running" {
		t.Errorf("GET /: %q", body)
	}
	name := w.tags(t, model)
	for _, body := range []string{`{"model":%q}`, `{"name":%q}`, `{"model":%q,"verbose":false}`} {
		var raw map[string]any
		data := w.fetch(t, "POST", "/api/show", fmt.Sprintf(body, name))
		strict(t, data, &raw, "details", "model_info", "capabilities", "template", "modified_at")
		if s := w.show(t, fmt.Sprintf(body, name)); s.context() <= 0 {
			t.Errorf("%s", data)
		}
		noNull(t, "", raw)
	}
	got := w.lines(t, "/api/chat", ask(name, scene, `,"stream":true,"options":{"temperature":0.1}`), "message.role", "message.content")
	if contents(got) != "one two" {
		t.Errorf("%+v", got)
	}
	w.provider.Script(scene, provider.Say("one two"))
	var whole line
	strict(t, w.fetch(t, "POST", "/api/chat", ask(name, scene, `,"stream":false`)), &whole, "model", "created_at", "message.role", "message.content", "done", "total_duration", "eval_count")
	if whole.Message.Content != "one two" || !whole.Done {
		t.Errorf("%+v", whole)
	}
}

func noNull(t *testing.T, path string, v any) {
	t.Helper()
	switch v := v.(type) {
	case nil:
		t.Errorf("%s is null", path)
	case map[string]any:
		for name, inner := range v {
			noNull(t, path+"."+name, inner)
		}
	case []any:
		for i, inner := range v {
			noNull(t, fmt.Sprintf("%s[%d]", path, i), inner)
		}
	}
}

// openWebUI parses when a running model expires.
func openWebUI(t *testing.T, w *world, model, scene string) {
	w.provider.Script(scene, provider.Say("one two"))
	w.tags(t, model)
	var running struct {
		Models []struct {
			Name      string
			ExpiresAt time.Time `json:"expires_at"`
		}
	}
	strict(t, w.fetch(t, "GET", "/api/ps", ""), &running, "models", "models[].name", "models[].model", "models[].size", "models[].digest", "models[].expires_at", "models[].size_vram", "models[].context_length")
	if got := w.lines(t, "/api/chat", ask(model, scene, `,"stream":true`), "message.role", "message.content"); contents(got) != "one two" {
		t.Errorf("%+v", got)
	}
}
