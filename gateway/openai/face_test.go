package openai_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	"github.com/gptmesh/gptmesh/gateway/openai"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	own   = conversationv1.Wire_WIRE_OPENAI_CHAT
	sse   = conversationv1.RawForm_RAW_FORM_SSE
	whole = conversationv1.RawForm_RAW_FORM_JSON
)

type script = func(context.Context, *requestv1.SubmitRequest, func(*requestv1.SubmitResponse) error) error

type mesh struct {
	request *gatewaytest.Request
	gpt     *gatewaytest.GPT
	edge    *edge.Edge
}

func newMesh(t testing.TB, change func(*openai.Config)) *mesh {
	t.Helper()
	m := &mesh{request: &gatewaytest.Request{}, gpt: &gatewaytest.GPT{Models: []*gptv1.Model{
		{Id: "gpt-4.1", Provider: "openai", DisplayName: "GPT 4.1", ContextLength: 131072, MaxOutputTokens: 32768, OwnedBy: "openai",
			Capabilities: []gptv1.Capability{gptv1.Capability_CAPABILITY_CHAT, gptv1.Capability_CAPABILITY_TOOLS, gptv1.Capability_CAPABILITY_VISION}},
		{Id: "meta-llama/llama-3", Provider: "openrouter"},
		{Id: "bare"},
	}}}
	config := openai.DefaultConfig()
	if change != nil {
		change(&config)
	}
	face, err := openai.New(config, openai.Deps{Request: m.request, GPT: m.gpt})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m.edge = gatewaytest.Edge(t, edge.Deps{Faces: []edge.Face{face}, Clock: func() time.Time { return at }}, nil)
	return m
}

const (
	ask       = `{"model":"gpt-4.1","messages":[{"role":"user","content":"hi"}]}`
	askStream = `{"model":"gpt-4.1","stream":true,"messages":[{"role":"user","content":"hi"}]}`
	// Cursor's, with a tool in either shape.
	askResponses = `{"model":"gpt-4.1","stream":true,"input":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"input_text","text":"hi"}]}],` +
		`"tools":[{"type":"function","name":"a","parameters":{"type":"object"}},{"type":"function","function":{"name":"b","parameters":{"type":"object"}}}],"tool_choice":"auto"}`
	// With a tool that takes text.
	custom          = `"tools":[{"type":"custom","custom":{"name":"weather"}},{"type":"function","function":{"name":"look"}}]}`
	askCustom       = `{"model":"gpt-4.1","messages":[{"role":"user","content":"hi"}],` + custom
	askCustomStream = `{"model":"gpt-4.1","stream":true,"messages":[{"role":"user","content":"hi"}],` + custom
	askUsage        = `{"model":"gpt-4.1","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`
)

func refuse(err error) script {
	return func(context.Context, *requestv1.SubmitRequest, func(*requestv1.SubmitResponse) error) error {
		return err
	}
}

const rawFirst = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4.1-x","choices":[{"index":0,"delta":{"role":"assistant","content":"H"}}],"odd":1.50}` + "\n\n"

func TestTranscripts(t *testing.T) {
	t.Parallel()
	text := gatewaytest.Chunks(
		gatewaytest.Chunk(gatewaytest.Started("gpt-4.1-2025"), gatewaytest.Reasoning("hm")),
		gatewaytest.Chunk(gatewaytest.Text("Hel"), gatewaytest.Text("lo\u2028 <b>")),
		gatewaytest.Chunk(gatewaytest.ChoiceFinished(conversationv1.FinishReason_FINISH_REASON_STOP), gatewaytest.Usage(3, 2), gatewaytest.Finished()))
	tools := gatewaytest.Chunks(
		gatewaytest.Chunk(gatewaytest.Started("gpt-4.1"), gatewaytest.Call(0, "call_a", "weather", `{"z":1,`), gatewaytest.Call(1, "call_b", "weather", `{}`), gatewaytest.Call(0, "", "", `"a":2}`)),
		gatewaytest.Chunk(gatewaytest.ChoiceFinished(conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS), gatewaytest.Usage(3, 2), gatewaytest.Finished()))
	texts := gatewaytest.Chunks(
		gatewaytest.Chunk(gatewaytest.Started("gpt-4.1"), gatewaytest.Call(0, "call_a", "weather", `{"inp`), gatewaytest.Call(1, "call_b", "look", `{"input":"stays"}`),
			gatewaytest.Call(0, "", "", `ut":"in \"Paris`), gatewaytest.Call(0, "", "", `\"\n"}`), gatewaytest.Call(2, "call_c", "weather", `{"where":"Rome"}`)),
		gatewaytest.Chunk(gatewaytest.ChoiceFinished(conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS), gatewaytest.Usage(3, 2), gatewaytest.Finished()))
	cut := fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED, "the provider cut its answer")
	late := gatewaytest.Chunks(gatewaytest.Chunk(gatewaytest.Started("gpt-4.1"), gatewaytest.Text("Hel")), gatewaytest.Chunk(gatewaytest.Failed(cut)))
	atOnce := gatewaytest.Chunks(gatewaytest.Chunk(gatewaytest.Started("gpt-4.1"), gatewaytest.Failed(cut)))
	raw := func(last ...*conversationv1.Chunk) script {
		return gatewaytest.Chunks(append([]*conversationv1.Chunk{gatewaytest.Raw(own, sse, rawFirst, gatewaytest.Started("gpt-4.1-x"))}, last...)...)
	}
	headed := gatewaytest.Started("gpt-4.1")
	headed.GetStarted().DroppedFields = []string{"logit_bias", "seed"}
	headed.GetStarted().Cached = true
	headed.GetStarted().SessionId = "ses_9"
	for _, c := range []struct {
		name, path, body string
		script           script
	}{
		{"stream", "/v1/chat/completions", askStream, text},
		{"stream_usage", "/chat/completions", askUsage, text},
		{"stream_tools", "/v1/chat/completions", askStream, tools},
		{"stream_custom_tools", "/v1/chat/completions", askCustomStream, texts},
		{"stream_late_error", "/v1/chat/completions", askStream, late},
		{"stream_error_in_first_chunk", "/v1/chat/completions", askStream, atOnce},
		{"stream_error_after_chunks", "/v1/chat/completions", askStream, func(ctx context.Context, r *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
			_ = gatewaytest.Chunks(gatewaytest.Chunk(gatewaytest.Started("gpt-4.1"), gatewaytest.Text("Hel")))(ctx, r, sink)
			return errors.New("dial tcp 10.0.0.1: secret")
		}},
		{"stream_raw", "/v1/chat/completions", askStream, raw(gatewaytest.Raw(own, sse, "data: [DONE]\n\n"), gatewaytest.Chunk(gatewaytest.Usage(1, 1), gatewaytest.Finished()))},
		{"stream_raw_done_with_end", "/v1/chat/completions", askStream, raw(gatewaytest.Raw(own, sse, "data:[DONE]\r\n\r\n", gatewaytest.Finished()))},
		{"stream_raw_without_done", "/v1/chat/completions", askStream, raw(gatewaytest.Chunk(gatewaytest.Finished()))},
		{"stream_raw_error", "/v1/chat/completions", askStream, raw(gatewaytest.Chunk(gatewaytest.Failed(cut)))},
		{"stream_raw_error_with_data", "/v1/chat/completions", askStream, raw(gatewaytest.Raw(own, sse, rawFirst, gatewaytest.Failed(cut)))},
		{"stream_of_whole_body", "/v1/chat/completions", askStream, gatewaytest.Chunks(gatewaytest.Raw(own, whole,
			`{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}`,
			gatewaytest.Started("m"), gatewaytest.Usage(1, 1), gatewaytest.Finished()))},
		{"whole", "/v1/chat/completions", ask, text},
		{"whole_tools", "/v1/chat/completions", ask, tools},
		{"whole_custom_tools", "/v1/chat/completions", askCustom, texts},
		{"whole_late_error", "/v1/chat/completions", ask, late},
		{"whole_raw", "/v1/chat/completions", ask, gatewaytest.Chunks(gatewaytest.Raw(own, whole, `{"id":"x", "odd":1.50,"choices":[]}`, headed, gatewaytest.Usage(1, 1), gatewaytest.Finished()))},
		{"whole_raw_in_two", "/v1/chat/completions", ask, gatewaytest.Chunks(gatewaytest.Raw(own, whole, `{"id":"x"}`, gatewaytest.Started("m")), gatewaytest.Chunk(gatewaytest.Finished()))},
		{"whole_raw_then_error", "/v1/chat/completions", ask, gatewaytest.Chunks(gatewaytest.Raw(own, whole, `{"id":"x"}`, gatewaytest.Started("m")), gatewaytest.Chunk(gatewaytest.Failed(cut)))},
		{"no_end", "/v1/chat/completions", askStream, refuse(nil)},
		{"unknown_model", "/v1/chat/completions", askStream, refuse(gatewaytest.NoModel("gpt-4.1"))},
		{"context_length", "/v1/chat/completions", ask, refuse(fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_CONTEXT_LENGTH_EXCEEDED, "too long", "model", "m", "limit", "8192"))},
		{"rate_limited", "/v1/chat/completions", askStream, refuse(fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED, "slow down").WithRetryAfter(1500 * time.Millisecond))},
		{"not_json", "/v1/chat/completions", `{"model":`, nil},
		{"duplicate_model", "/v1/chat/completions", `{"model":"a","model":"b","messages":[]}`, nil},
		{"too_deep", "/v1/chat/completions", `{"x":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`, nil},
		{"not_utf8", "/v1/chat/completions", "{\"model\":\"a\xff\"}", nil},
		{"cursor", "/v1/chat/completions", askResponses, text},
		{"cursor_tools", "/chat/completions", askResponses, tools},
		{"cursor_bad", "/v1/chat/completions", `{"model":"gpt-4.1","input":7}`, nil},
		{"azure", "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21", ask, text},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t, nil)
			m.request.Script = c.script
			got := gatewaytest.Transcript(t, gatewaytest.Client(t), gatewaytest.Serve(t, m.edge), "POST", c.path, c.body)
			gatewaytest.Golden(t, c.name+".txt", got)
			_, body, _ := strings.Cut(got, "\n< ")
			_, body, _ = strings.Cut(body, "\n\n")
			if strings.Contains(got, "< Content-Type: text/event-stream") {
				strictStream(t, body, c.body == askUsage, strings.Contains(c.name, "raw"))
			}
		})
	}
}

// strictStream reads a stream like Zed, Cline and the SDKs together.
func strictStream(t *testing.T, body string, usage, raw bool) {
	t.Helper()
	var id string
	var created float64
	role, ended, failed := false, false, false
	for event := range strings.SplitSeq(strings.ReplaceAll(strings.TrimSuffix(body, "\n\n"), "\r\n", "\n"), "\n\n") {
		if event == "" || strings.HasPrefix(event, ":") {
			continue
		}
		data, ok := strings.CutPrefix(event, "data:")
		if !ok || strings.Contains(data, "\n") {
			t.Errorf("an event of several lines: %q", event)
		}
		data = strings.TrimSpace(data)
		if ended {
			t.Errorf("an event behind the end: %q", event)
		}
		if data == "[DONE]" {
			ended = true
			continue
		}
		var chunk map[string]any
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			t.Fatalf("%v in %s", err, data)
		}
		if e, ok := chunk["error"].(map[string]any); ok {
			if e["message"] == "" || e["type"] == "" {
				t.Errorf("error %s", data)
			}
			failed, ended = true, true
			continue
		}
		choices, ok := chunk["choices"].([]any)
		if chunk["object"] != "chat.completion.chunk" || !ok || chunk["model"] == "" {
			t.Errorf("chunk %s", data)
		}
		if id == "" {
			id, created = chunk["id"].(string), chunk["created"].(float64)
		}
		if chunk["id"] != id || chunk["created"] != created {
			t.Errorf("id or created changes: %s", data)
		}
		if u, given := chunk["usage"].(map[string]any); given && !raw {
			if !usage || len(choices) != 0 {
				t.Errorf("usage that nobody asked for, or not alone: %s", data)
			}
			for _, key := range []string{"prompt_tokens", "completion_tokens", "total_tokens"} {
				if u[key] == nil {
					t.Errorf("usage without %s", key)
				}
			}
			continue
		}
		for _, c := range choices {
			delta := c.(map[string]any)["delta"].(map[string]any)
			if delta["role"] != nil {
				if role && !raw {
					t.Errorf("a second role: %s", data)
				}
				role = true
			}
			if !role {
				t.Errorf("missing role for choice 0: %s", data)
			}
			calls, _ := delta["tool_calls"].([]any)
			for _, call := range calls {
				if call.(map[string]any)["index"] == nil {
					t.Errorf("a tool delta without index: %s", data)
				}
			}
		}
	}
	if !ended {
		t.Error("neither [DONE] nor an error")
	}
	if failed && strings.Contains(body, "[DONE]") {
		t.Error("[DONE] after a failure")
	}
}

func TestListsAndPaths(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	url, client := gatewaytest.Serve(t, m.edge), gatewaytest.Client(t)
	for name, c := range map[string][2]string{
		"models":        {"GET", "/v1/models"},
		"models_bare":   {"GET", "/models"},
		"model_slash":   {"GET", "/v1/models/meta-llama/llama-3"},
		"model_unknown": {"GET", "/v1/models/nope"},
		"responses":     {"POST", "/v1/responses"},
		"wrong_method":  {"GET", "/v1/chat/completions"},
	} {
		gatewaytest.Golden(t, name+".txt", gatewaytest.Transcript(t, client, url, c[0], c[1], ""))
	}
	m.gpt.Models = nil
	if got := gatewaytest.Transcript(t, client, url, "GET", "/v1/models", ""); !strings.Contains(got, `{"object":"list","data":[]}`) {
		t.Error(got)
	}
}

func TestEmbeddings(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	var asked *gptv1.EmbedRequest
	m.gpt.EmbedFunc = func(_ context.Context, request *gptv1.EmbedRequest) (*gptv1.EmbedResponse, error) {
		asked = request
		return &gptv1.EmbedResponse{Model: "v", Provider: "p", Embeddings: []*gptv1.Embedding{{Values: []float32{0.5, -2}}}, Usage: &conversationv1.Usage{InputTokens: 4}}, nil
	}
	url, client := gatewaytest.Serve(t, m.edge), gatewaytest.Client(t)
	gatewaytest.Golden(t, "embeddings_float.txt", gatewaytest.Transcript(t, client, url, "POST", "/v1/embeddings", `{"model":"v","input":[1,2,3],"dimensions":2}`))
	if asked.GetInputs()[0].GetTokens() == nil || asked.GetDimensions() != 2 {
		t.Errorf("asked %v", asked)
	}
	gatewaytest.Golden(t, "embeddings_none.txt", gatewaytest.Transcript(t, client, url, "POST", "/v1/embeddings", `{"model":"v","input":[]}`))
	resp, err := client.Post(url+"/v1/embeddings", "application/json", strings.NewReader(`{"model":"v","input":"a","encoding_format":"base64"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct{ Data []struct{ Embedding string } }
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(out.Data[0].Embedding)
	if err != nil || len(raw) != 8 || math.Float32frombits(binary.LittleEndian.Uint32(raw)) != 0.5 || math.Float32frombits(binary.LittleEndian.Uint32(raw[4:])) != -2 {
		t.Errorf("%x %v", raw, err)
	}
}

func post(m *mesh, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Host = "localhost"
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	m.edge.ServeHTTP(w, r)
	return w
}

func TestWhatIsSubmitted(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	m.request.Script = gatewaytest.Chunks(gatewaytest.Chunk(gatewaytest.Started("m"), gatewaytest.Finished()))
	w := post(m, "/v1/chat/completions", ask, "x-gptmesh-session", "new", "x-gptmesh-user", "ann", "Idempotency-Key", "k1", "x-gptmesh-on-disconnect", "drain",
		"x-gptmesh-cache", "60", "x-gptmesh-post", "reasoning=strip, format=json", "X-Request-Timeout", "9")
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	got := m.request.Last()
	if string(got.GetTurn().GetRaw().GetBody()) != ask || got.GetTurn().GetModel() != "gpt-4.1" || got.GetTurn().GetAcceptWire() != own || got.GetWireBounds() != own || got.GetTurn().GetStream() {
		t.Errorf("turn %v", got.GetTurn())
	}
	if got.GetSessionId() != "new" || got.GetUserId() != "ann" || got.GetIdempotencyKey() != "k1" || got.GetCache().GetTtl().GetSeconds() != 60 ||
		got.GetOnDisconnect() != responsev1.DisconnectPolicy_DISCONNECT_POLICY_DRAIN || got.GetTimeout().GetSeconds() != 9 ||
		got.GetPostProcessing().GetReasoning() != responsev1.PostProcessing_REASONING_STRIP || got.GetPostProcessing().GetFormat() != responsev1.PostProcessing_FORMAT_JSON {
		t.Errorf("request %v", got)
	}
	post(m, "/openai/deployments/my-gpt/chat/completions", ask)
	if model := m.request.Last().GetTurn().GetModel(); model != "my-gpt" {
		t.Errorf("Azure's path: %q", model)
	}
}

// The client's leaving reaches the room at once.
func TestClientThatLeaves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body  string
		first bool
	}{"before the first event": {askStream, false}, "in mid-stream": {askStream, true}, "not streaming": {ask, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t, nil)
			entered, left := make(chan struct{}), make(chan error, 1)
			m.request.Script = func(ctx context.Context, _ *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
				if c.first {
					_ = sink(&requestv1.SubmitResponse{Chunk: gatewaytest.Raw(own, sse, rawFirst, gatewaytest.Started("m"))})
				}
				close(entered)
				<-ctx.Done()
				left <- ctx.Err()
				return ctx.Err()
			}
			conn, err := net.Dial("tcp", strings.TrimPrefix(gatewaytest.Serve(t, m.edge), "http://"))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(c.body), c.body)
			<-entered
			conn.Close()
			if err := <-left; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

func TestDeadlineOfTheClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, nil)
		m.request.Script = func(ctx context.Context, _ *requestv1.SubmitRequest, _ func(*requestv1.SubmitResponse) error) error {
			<-ctx.Done()
			return ctx.Err()
		}
		if w := post(m, "/v1/chat/completions", askStream, "X-Request-Timeout", "2"); w.Code != 504 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func TestMegabytePrompt(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	m.request.Script = gatewaytest.Chunks(gatewaytest.Raw(own, whole, `{}`, gatewaytest.Started("m"), gatewaytest.Finished()))
	body := `{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("token ", 1<<20/6) + `"}]}`
	if w := post(m, "/v1/chat/completions", body); w.Code != 200 || string(m.request.Last().GetTurn().GetRaw().GetBody()) != body {
		t.Errorf("%d", w.Code)
	}
}
