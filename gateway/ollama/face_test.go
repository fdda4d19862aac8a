package ollama_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	"github.com/gptmesh/gptmesh/gateway/ollama"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	chatWire = conversationv1.Wire_WIRE_OLLAMA_CHAT
	ndjson   = conversationv1.RawForm_RAW_FORM_NDJSON
	whole    = conversationv1.RawForm_RAW_FORM_JSON
)

type mesh struct {
	request *gatewaytest.Request
	gpt     *gatewaytest.GPT
	url     string
	client  *http.Client
}

func models() []*gptv1.Model {
	all := []gptv1.Capability{gptv1.Capability_CAPABILITY_CHAT, gptv1.Capability_CAPABILITY_TOOLS, gptv1.Capability_CAPABILITY_VISION, gptv1.Capability_CAPABILITY_REASONING}
	return []*gptv1.Model{
		{Id: "gpt-4.1", Provider: "openai", DisplayName: "GPT 4.1", ContextLength: 131072, Capabilities: all, Aliases: []string{"Smart"},
			CreateTime: timestamppb.New(time.Date(2025, 4, 14, 0, 0, 0, 0, time.UTC)), Wire: conversationv1.Wire_WIRE_OPENAI_CHAT},
		{Id: "llama3.2:latest", Provider: "ollama", ContextLength: 8192, Capabilities: all[:2], Family: "llama", ParameterSize: "3.2B", Quantization: "Q4_K_M",
			SizeBytes: 2019393189, Digest: strings.Repeat("ab", 32), Loaded: true, Wire: chatWire},
		{Id: "vectors", Provider: "ollama", Capabilities: []gptv1.Capability{gptv1.Capability_CAPABILITY_EMBEDDING}, EmbeddingLength: 3},
		{Id: "coder", Provider: "llamacpp", ContextLength: 16384, Capabilities: []gptv1.Capability{gptv1.Capability_CAPABILITY_CHAT, gptv1.Capability_CAPABILITY_FILL_IN_MIDDLE}},
		{Id: "bare"},
	}
}

func newMesh(t *testing.T, change func(*ollama.Config)) *mesh {
	t.Helper()
	m := &mesh{request: &gatewaytest.Request{}, gpt: &gatewaytest.GPT{Models: models()}, client: gatewaytest.Client(t)}
	config := ollama.DefaultConfig()
	if change != nil {
		change(&config)
	}
	face, err := ollama.New(config, ollama.Deps{Request: m.request, GPT: m.gpt, Build: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	face.Prefixes = append(face.Prefixes, "/")
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m.url = gatewaytest.Serve(t, gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{face}, Clock: func() time.Time { return at }}, nil))
	return m
}

func (m *mesh) transcript(t *testing.T, method, path, body string, headers ...string) string {
	t.Helper()
	return gatewaytest.Transcript(t, m.client, m.url, method, path, body, headers...)
}

const ask = `{"model":"gpt-4.1","messages":[{"role":"user","content":"hi"}]}`

func TestTranscripts(t *testing.T) {
	t.Parallel()
	text := gatewaytest.Chunks(
		gatewaytest.Chunk(gatewaytest.Started("gpt-4.1-2025-04-14"), gatewaytest.Reasoning("hm")),
		gatewaytest.Chunk(gatewaytest.Text("Hel"), gatewaytest.Text("lo\u2028 <b>")),
		gatewaytest.Chunk(gatewaytest.ChoiceFinished(conversationv1.FinishReason_FINISH_REASON_STOP), gatewaytest.Usage(3, 2), gatewaytest.Finished()))
	tools := gatewaytest.Chunks(
		gatewaytest.Chunk(gatewaytest.Started("gpt-4.1"), gatewaytest.Call(0, "call_a", "weather", `{"z":1,"a":2}`), gatewaytest.Call(1, "call_b", "weather", `{}`)),
		gatewaytest.Chunk(gatewaytest.ChoiceFinished(conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS), gatewaytest.Usage(3, 2), gatewaytest.Finished()))
	late := gatewaytest.Chunks(gatewaytest.Chunk(gatewaytest.Started("gpt-4.1"), gatewaytest.Text("Hel")),
		gatewaytest.Chunk(gatewaytest.Failed(fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED, "the provider cut its answer"))))
	early := func(err error) func(context.Context, *requestv1.SubmitRequest, func(*requestv1.SubmitResponse) error) error {
		return func(context.Context, *requestv1.SubmitRequest, func(*requestv1.SubmitResponse) error) error {
			return err
		}
	}
	raw := gatewaytest.Chunks(
		gatewaytest.Raw(chatWire, ndjson, `{"model":"llama3.2:latest","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"Hi"},"odd":1.50,"done":false}`+"\n", gatewaytest.Started("llama3.2:latest")),
		gatewaytest.Raw(chatWire, ndjson, `{"model":"llama3.2:latest","created_at":"2026-01-01T00:00:01Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","eval_count":2}`+"\n", gatewaytest.Usage(1, 2), gatewaytest.Finished()))
	rawWhole := gatewaytest.Chunks(gatewaytest.Raw(chatWire, whole, `{"model":"llama3.2:latest","message":{"role":"assistant","content":"Hi"},"odd":1.50,"done":true}`,
		gatewaytest.Started("llama3.2:latest"), gatewaytest.Usage(1, 2), gatewaytest.Finished()))
	for _, c := range []struct {
		name, path, body string
		script           func(context.Context, *requestv1.SubmitRequest, func(*requestv1.SubmitResponse) error) error
	}{
		{"chat_stream", "/api/chat", ask, text},
		{"chat_whole", "/api/chat", strings.Replace(ask, `{`, `{"stream":false,`, 1), text},
		{"chat_tools", "/api/chat", ask, tools},
		{"chat_late_error", "/api/chat", ask, late},
		{"chat_whole_late_error", "/api/chat", strings.Replace(ask, `{`, `{"stream":false,`, 1), late},
		{"chat_raw", "/api/chat", strings.Replace(ask, "gpt-4.1", "llama3.2:latest", 1), raw},
		{"chat_raw_renamed", "/api/chat", strings.Replace(ask, "gpt-4.1", "LLAMA3.2", 1), raw},
		{"chat_raw_whole", "/api/chat", strings.Replace(ask, `{"model":"gpt-4.1"`, `{"stream":false,"model":"LLAMA3.2"`, 1), rawWhole},
		{"chat_unknown_model", "/api/chat", strings.Replace(ask, "gpt-4.1", "nope", 1), early(gatewaytest.NoModel("nope"))},
		{"chat_rate_limited", "/api/chat", ask, early(fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED, "slow down").WithRetryAfter(7 * time.Second))},
		{"chat_no_end", "/api/chat", ask, early(nil)},
		{"chat_load", "/api/chat", `{"model":"gpt-4.1","messages":[]}`, nil},
		{"chat_unload", "/api/chat", `{"model":"gpt-4.1","keep_alive":0}`, nil},
		{"chat_load_unknown", "/api/chat", `{"model":"nope"}`, nil},
		{"chat_not_json", "/api/chat", `{"model":`, nil},
		{"chat_duplicate_model", "/api/chat", `{"model":"a","model":"b","messages":[]}`, nil},
		{"generate_stream", "/api/generate", `{"model":"gpt-4.1:latest","prompt":"hi","suffix":"","system":"","template":"","options":{},"think":true}`, text},
		{"generate_whole", "/api/generate", `{"model":"gpt-4.1","prompt":"hi","stream":false}`, text},
		{"generate_load", "/api/generate", `{"model":"Smart","prompt":""}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t, nil)
			m.request.Script = c.script
			// curl -d says this of every body.
			got := m.transcript(t, "POST", c.path, c.body, "Content-Type", "application/x-www-form-urlencoded")
			gatewaytest.Golden(t, c.name+".txt", got)
			_, body, _ := strings.Cut(got, "\n\n")
			_, body, _ = strings.Cut(body, "\n\n")
			if strings.Contains(got, "x-ndjson") {
				zedLines(t, body, c.path == "/api/generate")
			}
		})
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	for name, c := range map[string][3]string{
		"tags":         {"GET", "/api/tags", ""},
		"version":      {"GET", "/api/version", ""},
		"version_head": {"HEAD", "/api/version", ""},
		"ps":           {"GET", "/api/ps", ""},
		"show":         {"POST", "/api/show", `{"model":"","name":"GPT-4.1","options":null}`},
		"show_fim":     {"POST", "/api/show", `{"model":"coder:latest"}`},
		"show_unknown": {"POST", "/api/show", `{"model":"nope"}`},
		"show_nothing": {"POST", "/api/show", `{}`},
		"pull":         {"POST", "/api/pull", `{"model":"nope"}`},
		"delete":       {"DELETE", "/api/delete", `{"model":"nope"}`},
		"blob":         {"HEAD", "/api/blobs/sha256:abc", ""},
		"unknown_path": {"GET", "/api/nothing", ""},
		"wrong_method": {"GET", "/api/chat", ""},
	} {
		gatewaytest.Golden(t, name+".txt", m.transcript(t, c[0], c[1], c[2]))
	}
}

func TestEmptyListIsNoNull(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	m.gpt.Models = nil
	for _, path := range []string{"/api/tags", "/api/ps"} {
		if got := m.transcript(t, "GET", path, ""); !strings.Contains(got, `{"models":[]}`) {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func TestEmbeddings(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	var asked *gptv1.EmbedRequest
	m.gpt.EmbedFunc = func(_ context.Context, request *gptv1.EmbedRequest) (*gptv1.EmbedResponse, error) {
		asked = request
		resp := &gptv1.EmbedResponse{Model: "vectors", Provider: "ollama", Usage: &conversationv1.Usage{InputTokens: 4}, DroppedFields: []string{"user"}}
		for range request.GetInputs() {
			resp.Embeddings = append(resp.Embeddings, &gptv1.Embedding{Values: []float32{0.5, -1, 0.1}})
		}
		return resp, nil
	}
	for name, c := range map[string][2]string{
		"embed":            {"/api/embed", `{"model":"Vectors:latest","input":["a","b"],"truncate":true}`},
		"embed_one":        {"/api/embed", `{"model":"vectors","input":"a"}`},
		"embed_nothing":    {"/api/embed", `{"model":"vectors","input":[]}`},
		"embed_no_text":    {"/api/embed", `{"model":"vectors","input":""}`},
		"embed_no_prompt":  {"/api/embeddings", `{"model":"vectors","prompt":""}`},
		"embeddings":       {"/api/embeddings", `{"model":"vectors","prompt":"a"}`},
		"embed_wrong_type": {"/api/embed", `{"model":"vectors","input":7}`},
	} {
		gatewaytest.Golden(t, name+".txt", m.transcript(t, "POST", c[0], c[1]))
	}
	if asked.GetModel() != "vectors" {
		t.Errorf("asked for %q", asked.GetModel())
	}
	many := `{"model":"vectors","input":["a"` + strings.Repeat(`,"a"`, 2048) + `]}`
	if got := m.transcript(t, "POST", "/api/embed", many); !strings.Contains(got, "< 400") {
		t.Error("2049 inputs were taken")
	}
}

func TestWhatIsSubmitted(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	m.request.Script = gatewaytest.Chunks(gatewaytest.Chunk(gatewaytest.Started("m"), gatewaytest.Finished()))
	body := `{"model":"LLAMA3.2","messages":[{"role":"user","content":"hi"}],"options":{"num_predict":7}}`
	m.transcript(t, "POST", "/api/chat", body, "X-Gptmesh-Session", "ses_1", "X-Gptmesh-User", "ann", "Idempotency-Key", "k1",
		"X-Gptmesh-On-Disconnect", "detach", "X-Gptmesh-Cache", "60", "X-Gptmesh-Post", "reasoning=strip", "X-Request-Timeout", "9")
	got := m.request.Last()
	turn := got.GetTurn()
	if turn.GetModel() != "llama3.2:latest" || !turn.GetStream() || turn.GetAcceptWire() != chatWire || turn.GetMaxOutputTokens() != 7 ||
		got.GetWireBounds() != chatWire || string(turn.GetRaw().GetBody()) != body || len(turn.GetMessages()) != 0 {
		t.Errorf("turn %v", turn)
	}
	if got.GetSessionId() != "ses_1" || got.GetUserId() != "ann" || got.GetIdempotencyKey() != "k1" || got.GetCache().GetTtl().GetSeconds() != 60 ||
		got.GetOnDisconnect() != responsev1.DisconnectPolicy_DISCONNECT_POLICY_DETACH || got.GetTimeout().GetSeconds() != 9 ||
		got.GetPostProcessing().GetReasoning() != responsev1.PostProcessing_REASONING_STRIP {
		t.Errorf("request %v", got)
	}
}

// The client waits for the first line: headers come alone, and an error that
// comes later is a line.
func TestHeadersBeforeASlowFirstLine(t *testing.T) {
	t.Parallel()
	m := newMesh(t, func(c *ollama.Config) { c.Heartbeat = time.Millisecond })
	release := make(chan struct{})
	m.request.Script = func(context.Context, *requestv1.SubmitRequest, func(*requestv1.SubmitResponse) error) error {
		<-release
		return fault.New(codes.DeadlineExceeded, meshv1.ErrorReason_ERROR_REASON_FIRST_TOKEN_TIMEOUT, "nothing came")
	}
	resp, err := m.client.Post(m.url+"/api/chat", "text/plain", strings.NewReader(ask))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	close(release)
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || string(body) != `{"error":"nothing came"}`+"\n" {
		t.Errorf("%d %q %v", resp.StatusCode, body, err)
	}
}

func TestClientThatLeaves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body  string
		first bool
	}{
		"before the first line": {ask, false},
		"in mid-stream":         {ask, true},
		"not streaming":         {strings.Replace(ask, `{`, `{"stream":false,`, 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t, nil)
			entered, left := make(chan struct{}), make(chan error, 1)
			m.request.Script = func(ctx context.Context, _ *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
				if c.first {
					_ = sink(&requestv1.SubmitResponse{Chunk: gatewaytest.Chunk(gatewaytest.Started("m"), gatewaytest.Text("a"))})
				}
				close(entered)
				<-ctx.Done()
				left <- ctx.Err()
				return ctx.Err()
			}
			ctx, cancel := context.WithCancel(context.Background())
			r, _ := http.NewRequestWithContext(ctx, "POST", m.url+"/api/chat", strings.NewReader(c.body))
			go func() {
				<-entered
				cancel()
			}()
			if resp, err := m.client.Do(r); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			if err := <-left; err != context.Canceled {
				t.Error(err)
			}
		})
	}
}

// zedLines reads lines like Zed's parser: model, created_at, role and content
// are on every line, also the last; statistics on the last only.
func zedLines(t *testing.T, body string, generate bool) {
	t.Helper()
	if !strings.HasSuffix(body, "\n") {
		t.Errorf("the last line has no end: Continue drops it")
	}
	scanner := bufio.NewScanner(strings.NewReader(body))
	done := false
	for scanner.Scan() {
		var line map[string]json.RawMessage
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatalf("%v in %s", err, scanner.Text())
		}
		if done {
			t.Errorf("a line behind the last: %s", scanner.Text())
		}
		if line["error"] != nil {
			done = true
			continue
		}
		want := []string{"model", "created_at", "done"}
		if generate {
			want = append(want, "response")
		} else {
			want = append(want, "message")
		}
		for _, key := range want {
			if line[key] == nil {
				t.Errorf("no %s in %s", key, scanner.Text())
			}
		}
		var created string
		if json.Unmarshal(line["created_at"], &created) != nil {
			t.Errorf("created_at of %s", scanner.Text())
		} else if _, err := time.Parse(time.RFC3339Nano, created); err != nil {
			t.Error(err)
		}
		if !generate {
			var message struct {
				Role, Content *string
				ToolCalls     []struct {
					Function struct {
						Name      string
						Arguments map[string]any
					}
					Type *string
				} `json:"tool_calls"`
			}
			if err := json.Unmarshal(line["message"], &message); err != nil || message.Role == nil || *message.Role != "assistant" || message.Content == nil {
				t.Errorf("message of %s: %v", scanner.Text(), err)
			}
			for _, call := range message.ToolCalls {
				if call.Type != nil || call.Function.Arguments == nil {
					t.Errorf("a call of another form in %s", scanner.Text())
				}
			}
			if string(line["done"]) == "true" && len(message.ToolCalls) > 0 {
				t.Errorf("tool calls on the last line: %s", scanner.Text())
			}
		}
		if done = string(line["done"]) == "true"; done != (line["done_reason"] != nil) || !done && line["eval_count"] != nil {
			t.Errorf("statistics of %s", scanner.Text())
		}
	}
	if !done {
		t.Error("no last line")
	}
}

// What editors demand of the lists, or else hide models.
func TestListsSatisfyStrictClients(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	get := func(method, path, body string) map[string]any {
		got := m.transcript(t, method, path, body)
		_, rest, _ := strings.Cut(got, "< ")
		_, rest, _ = strings.Cut(rest, "\n\n")
		var out map[string]any
		if err := json.Unmarshal([]byte(strings.TrimSuffix(rest, "\n(no line end)\n")), &out); err != nil {
			t.Fatalf("%s: %v in %s", path, err, rest)
		}
		return out
	}
	text := func(v any, what string) string {
		s, ok := v.(string)
		if !ok || s == "" {
			t.Errorf("%s is %v", what, v)
		}
		return s
	}
	for _, item := range get("GET", "/api/tags", "")["models"].([]any) {
		model := item.(map[string]any)
		name := text(model["name"], "name")
		text(model["model"], "model")
		if digest := text(model["digest"], "digest"); len(digest) != 64 {
			t.Errorf("digest of %s", name)
		}
		if _, err := time.Parse(time.RFC3339, text(model["modified_at"], "modified_at")); err != nil {
			t.Error(err)
		}
		if size, ok := model["size"].(float64); !ok || size < 0 || size != float64(int64(size)) {
			t.Errorf("size of %s is %v", name, model["size"])
		}
		details := model["details"].(map[string]any)
		for _, key := range []string{"format", "family", "parameter_size", "quantization_level"} {
			text(details[key], name+" "+key)
		}
		if _, ok := details["parent_model"].(string); !ok {
			t.Errorf("parent_model of %s", name)
		}

		show := get("POST", "/api/show", fmt.Sprintf(`{"name":%q}`, name))
		capabilities, ok := show["capabilities"].([]any) // Copilot calls .includes
		if !ok {
			t.Errorf("capabilities of %s are %v", name, show["capabilities"])
		}
		insert := false
		for _, c := range capabilities {
			insert = insert || c == "insert"
		}
		if insert != strings.Contains(text(show["template"], "template"), ".Suffix") {
			t.Errorf("FIM of %s", name)
		}
		info := show["model_info"].(map[string]any)
		arch := text(info["general.architecture"], "architecture")
		text(info["general.basename"], "basename")
		if length, given := info[arch+".context_length"]; given && length.(float64) <= 0 {
			t.Errorf("context length of %s", name)
		}
		parameters, ok := show["parameters"].(string)
		if !ok {
			t.Errorf("parameters of %s", name)
		}
		if parameters != "" {
			for _, line := range strings.Split(parameters, "\n") { // Continue throws on an empty one
				if len(strings.Fields(line)) < 2 {
					t.Errorf("parameters of %s: %q", name, line)
				}
			}
		}
	}
	first, second := m.transcript(t, "GET", "/api/tags", ""), m.transcript(t, "GET", "/api/tags", "")
	if first != second {
		t.Error("the list changes from call to call")
	}
}
