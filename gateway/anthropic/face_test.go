package anthropic_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gptmesh/gptmesh/gateway/anthropic"
	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	"github.com/gptmesh/gptmesh/gateway/openai"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/auth"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	own   = conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES
	sse   = conversationv1.RawForm_RAW_FORM_SSE
	whole = conversationv1.RawForm_RAW_FORM_JSON
)

type script = func(context.Context, *requestv1.SubmitRequest, func(*requestv1.SubmitResponse) error) error

// gpt is a gpt room that also counts.
type gpt struct {
	*gatewaytest.GPT
	count func(context.Context, *gptv1.CountTokensRequest) (*gptv1.CountTokensResponse, error)
}

func (g *gpt) CountTokens(ctx context.Context, request *gptv1.CountTokensRequest) (*gptv1.CountTokensResponse, error) {
	return g.count(ctx, request)
}

func noCount(context.Context, *gptv1.CountTokensRequest) (*gptv1.CountTokensResponse, error) {
	return nil, errors.New("not counted")
}

type mesh struct {
	request *gatewaytest.Request
	gpt     *gpt
	edge    *edge.Edge
}

type setup struct {
	config func(*anthropic.Config)
	edge   func(*edge.Config)
	auth   *auth.Authenticator
}

// newMesh is the face beside that of OpenAI, which has some of its paths.
func newMesh(t testing.TB, s setup) *mesh {
	t.Helper()
	chat := []gptv1.Capability{gptv1.Capability_CAPABILITY_CHAT, gptv1.Capability_CAPABILITY_TOOLS}
	m := &mesh{request: &gatewaytest.Request{}, gpt: &gpt{count: noCount, GPT: &gatewaytest.GPT{Models: []*gptv1.Model{
		{Id: "claude-sonnet-4-5", Provider: "anthropic", DisplayName: "Claude Sonnet 4.5", ContextLength: 200000, MaxOutputTokens: 64000,
			CreateTime: &timestamppb.Timestamp{Seconds: 1759104000}, Capabilities: chat},
		{Id: "meta-llama/llama-3", Provider: "openrouter", Capabilities: chat},
		{Id: "vectors", Capabilities: []gptv1.Capability{gptv1.Capability_CAPABILITY_EMBEDDING}},
		{Id: "bare"},
	}}}}
	config := anthropic.DefaultConfig()
	if s.config != nil {
		s.config(&config)
	}
	face, err := anthropic.New(config, anthropic.Deps{Request: m.request, GPT: m.gpt})
	if err != nil {
		t.Fatal(err)
	}
	other, err := openai.New(openai.DefaultConfig(), openai.Deps{Request: m.request, GPT: m.gpt})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m.edge = gatewaytest.Edge(t, edge.Deps{Auth: s.auth, Faces: []edge.Face{other, face}, Clock: func() time.Time { return at }}, s.edge)
	return m
}

const (
	ask       = `{"model":"claude-sonnet-4-5","max_tokens":64,"messages":[{"role":"user","content":"hi"}]}`
	askStream = `{"model":"claude-sonnet-4-5","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"hi"}]}`
	askImage  = `{"model":"claude-sonnet-4-5","max_tokens":64,"stream":true,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},{"type":"text","text":"what is it?"}]}]}`
)

// id makes transcripts repeatable.
var id = []string{"X-Request-Id", "rid_1"}

func post(m *mesh, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Host = "localhost"
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	m.edge.ServeHTTP(w, r)
	return w
}

func refuse(err error) script {
	return func(context.Context, *requestv1.SubmitRequest, func(*requestv1.SubmitResponse) error) error {
		return err
	}
}

func signature(text string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{Reasoning: &conversationv1.ReasoningDelta{Signature: text}}}
}

const rawStart = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01XFD\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5-20250929\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":25,\"output_tokens\":1,\"service_tier\":\"standard\"}}}\n\n"

const rawRest = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n" +
	"event: ping\ndata: {\"type\": \"ping\"}\n\n" +
	"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello \u2028 😀\"}, \"odd\":1.50}\n\n" +
	"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n" +
	"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":15}}\n\n" +
	"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

const rawBody = `{"id":"msg_01XFD","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[{"type":"text","text":"Hi","odd":1.50}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":15}}`

func stop(reason conversationv1.FinishReason) *conversationv1.Chunk {
	return gatewaytest.Chunk(gatewaytest.ChoiceFinished(reason), gatewaytest.Usage(12, 7), gatewaytest.Finished())
}

// answers are answers of a provider of another dialect.
var answers = map[string][]*conversationv1.Chunk{
	"text": {
		gatewaytest.Chunk(gatewaytest.Started("gpt-4.1-2025"), gatewaytest.Text("Hel")),
		gatewaytest.Chunk(gatewaytest.Text("lo\u2028 <b>"), gatewaytest.Text(" 😀")), stop(conversationv1.FinishReason_FINISH_REASON_STOP)},
	"length": {
		gatewaytest.Chunk(gatewaytest.Started("gpt-4.1-2025"), gatewaytest.Text("Hel")), stop(conversationv1.FinishReason_FINISH_REASON_LENGTH)},
	"stop_sequence": {
		gatewaytest.Chunk(gatewaytest.Started("gpt-4.1-2025"), gatewaytest.Text("Hel"),
			&conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{
				Reason: conversationv1.FinishReason_FINISH_REASON_STOP, StopSequence: "END"}}}),
		gatewaytest.Chunk(gatewaytest.Usage(12, 7), gatewaytest.Finished())},
	"refusal": {
		gatewaytest.Chunk(gatewaytest.Started("gpt-4.1-2025"),
			&conversationv1.Event{Kind: &conversationv1.Event_Refusal{Refusal: &conversationv1.TextDelta{Text: "No."}}}),
		stop(conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER)},
	"empty": {gatewaytest.Chunk(gatewaytest.Started("gpt-4.1-2025")), stop(conversationv1.FinishReason_FINISH_REASON_STOP)},
	"tool": {
		gatewaytest.Chunk(gatewaytest.Started("gpt-4.1-2025"), gatewaytest.Text("Let me see."), gatewaytest.Call(0, "call_a", "weather", `{"z":1,`)),
		gatewaytest.Chunk(gatewaytest.Call(0, "", "", `"a":9007199254740993}`)), stop(conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS)},
	"tools": {
		gatewaytest.Chunk(gatewaytest.Started("gpt-4.1-2025"), gatewaytest.Call(0, "call_a", "weather", `{"city":`), gatewaytest.Call(1, "call_b", "weather", `{`)),
		gatewaytest.Chunk(gatewaytest.Call(0, "", "", `"Bern"}`), gatewaytest.Call(1, "", "", `}`), gatewaytest.Call(2, "call_c", "now", ``)),
		stop(conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS)},
	"thinking": {
		gatewaytest.Chunk(gatewaytest.Started("gpt-4.1-2025"), gatewaytest.Reasoning("Two "), gatewaytest.Reasoning("cities.")),
		gatewaytest.Chunk(gatewaytest.Text("Looking."), gatewaytest.Call(0, "call_a", "weather", `{}`)), stop(conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS)},
	"thinking_signed": {
		gatewaytest.Chunk(gatewaytest.Started("gpt-4.1-2025"), gatewaytest.Reasoning("Hm."), signature("EqQBCgIYAhIM")),
		gatewaytest.Chunk(gatewaytest.Text("Yes.")), stop(conversationv1.FinishReason_FINISH_REASON_STOP)},
}

// Each answer, streamed and whole: the bytes that go out, and that an SDK makes
// the same message of both.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, chunks := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t, setup{})
			m.request.Script = gatewaytest.Chunks(chunks...)
			url, client := gatewaytest.Serve(t, m.edge), gatewaytest.Client(t)
			gatewaytest.Golden(t, "answers/"+name+".stream.txt", gatewaytest.Transcript(t, client, url, "POST", "/v1/messages?beta=true", askStream, id...))
			gatewaytest.Golden(t, "answers/"+name+".whole.txt", gatewaytest.Transcript(t, client, url, "POST", "/v1/messages", ask, id...))
			streamed, err := accumulate(post(m, "/v1/messages", askStream).Body.String())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(numbered(t, post(m, "/v1/messages", ask).Body.Bytes()), numbered(t, streamed)); diff != "" {
				t.Errorf("whole against streamed (-whole +streamed):\n%s", diff)
			}
		})
	}
}

// numbered is a message with its numbers as they are written.
func numbered(t *testing.T, m any) (out any) {
	t.Helper()
	body, ok := m.([]byte)
	if !ok {
		var err error
		if body, err = json.Marshal(m); err != nil {
			t.Fatal(err)
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&out); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return out
}

func TestTranscripts(t *testing.T) {
	t.Parallel()
	cut := fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED, "the provider cut its answer")
	late := gatewaytest.Chunks(gatewaytest.Chunk(gatewaytest.Started("gpt-4.1"), gatewaytest.Text("Hel"), gatewaytest.Call(0, "call_a", "weather", `{"ci`)), gatewaytest.Chunk(gatewaytest.Failed(cut)))
	limited := fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED, "slow down").WithRetryAfter(1500 * time.Millisecond)
	raw := func(last ...*conversationv1.Chunk) script {
		return gatewaytest.Chunks(append([]*conversationv1.Chunk{gatewaytest.Raw(own, sse, rawStart, gatewaytest.Started("claude-sonnet-4-5-20250929"), gatewaytest.Usage(25, 1))}, last...)...)
	}
	headed := gatewaytest.Started("claude-sonnet-4-5-20250929")
	headed.GetStarted().DroppedFields = []string{"top_k", "thinking"}
	headed.GetStarted().Cached = true
	headed.GetStarted().SessionId = "ses_9"
	for _, c := range []struct {
		name, path, body string
		script           script
	}{
		{"raw_stream", "/v1/messages", askStream, raw(gatewaytest.Raw(own, sse, rawRest, gatewaytest.Usage(25, 15), gatewaytest.Finished()))},
		{"raw_stream_error", "/v1/messages", askStream, raw(gatewaytest.Chunk(gatewaytest.Failed(cut)))},
		{"raw_whole", "/v1/messages", ask, gatewaytest.Chunks(gatewaytest.Raw(own, whole, rawBody, headed, gatewaytest.Usage(25, 15), gatewaytest.Finished()))},
		{"raw_whole_then_error", "/v1/messages", ask, gatewaytest.Chunks(gatewaytest.Raw(own, whole, rawBody, gatewaytest.Started("m")), gatewaytest.Chunk(gatewaytest.Failed(cut)))},
		{"image", "/v1/messages", askImage, gatewaytest.Chunks(answers["text"]...)},
		{"error_late", "/v1/messages", askStream, late},
		{"error_late_whole", "/v1/messages", ask, late},
		{"error_in_first_chunk", "/v1/messages", askStream, gatewaytest.Chunks(gatewaytest.Chunk(gatewaytest.Started("gpt-4.1"), gatewaytest.Failed(cut)))},
		{"error_after_chunks", "/v1/messages", askStream, func(ctx context.Context, r *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
			_ = gatewaytest.Chunks(gatewaytest.Chunk(gatewaytest.Started("gpt-4.1"), gatewaytest.Text("Hel")))(ctx, r, sink)
			return errors.New("dial tcp 10.0.0.1: secret")
		}},
		{"no_end", "/v1/messages", askStream, refuse(nil)},
		{"unknown_model", "/v1/messages", askStream, refuse(gatewaytest.NoModel("claude-sonnet-4-5"))},
		{"rate_limited", "/v1/messages", askStream, refuse(limited)},
		{"overloaded", "/v1/messages", ask, refuse(fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_OVERLOADED, "busy").WithRetryAfter(3 * time.Second))},
		{"unavailable", "/v1/messages", ask, refuse(fault.StoreUnavailable("request", errors.New("disk at /var/lib")))},
		{"context_length", "/v1/messages", ask, refuse(fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_CONTEXT_LENGTH_EXCEEDED, "too long", "model", "m", "limit", "8192"))},
		{"without_v1", "/messages", ask, gatewaytest.Chunks(answers["text"]...)},
		{"own_path", "/anthropic/v1/messages", ask, gatewaytest.Chunks(answers["text"]...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t, setup{})
			m.request.Script = c.script
			got := gatewaytest.Transcript(t, gatewaytest.Client(t), gatewaytest.Serve(t, m.edge), "POST", c.path, c.body, id...)
			gatewaytest.Golden(t, c.name+".txt", got)
			w := post(m, c.path, c.body)
			if w.Header().Get("Content-Type") != "text/event-stream" {
				return
			}
			_, err := accumulate(w.Body.String())
			failed := (*sdkError)(nil)
			if wrong := strings.Contains(c.name, "error"); wrong != errors.As(err, &failed) || !wrong && err != nil {
				t.Error(err)
			}
		})
	}
}

// The provider's own bytes reach the client as they are.
func TestSameWireIsUnchanged(t *testing.T) {
	t.Parallel()
	m := newMesh(t, setup{})
	m.request.Script = gatewaytest.Chunks(
		gatewaytest.Raw(own, sse, rawStart, gatewaytest.Started("claude-sonnet-4-5-20250929")),
		gatewaytest.Raw(own, sse, rawRest[:len(rawRest)/2]),
		gatewaytest.Raw(own, sse, rawRest[len(rawRest)/2:], gatewaytest.Finished()))
	if got := post(m, "/v1/messages", askStream).Body.String(); got != rawStart+rawRest {
		t.Error(cmp.Diff(rawStart+rawRest, got))
	}
	m.request.Script = gatewaytest.Chunks(gatewaytest.Raw(own, whole, rawBody, gatewaytest.Started("m"), gatewaytest.Finished()))
	if got := post(m, "/v1/messages", ask).Body.String(); got != rawBody {
		t.Error(cmp.Diff(rawBody, got))
	}
}

func TestListsAndPaths(t *testing.T) {
	t.Parallel()
	m := newMesh(t, setup{})
	url, client := gatewaytest.Serve(t, m.edge), gatewaytest.Client(t)
	version := append([]string{"anthropic-version", "2023-06-01"}, id...)
	for name, c := range map[string]struct {
		method, path string
		headers      []string
	}{
		"models":             {"GET", "/v1/models", version},
		"models_page":        {"GET", "/v1/models?limit=1&after_id=claude-sonnet-4-5", version},
		"models_before":      {"GET", "/v1/models?limit=1&before_id=bare", version},
		"models_bad_limit":   {"GET", "/v1/models?limit=0", version},
		"models_bad_after":   {"GET", "/v1/models?after_id=nope", version},
		"models_both":        {"GET", "/v1/models?after_id=bare&before_id=bare", version},
		"models_own_path":    {"GET", "/anthropic/v1/models", id},
		"model_slash":        {"GET", "/v1/models/meta-llama/llama-3?beta=true", version},
		"model_unknown":      {"GET", "/v1/models/nope", version},
		"batches":            {"POST", "/v1/messages/batches", id},
		"files":              {"GET", "/v1/files", version},
		"wrong_method":       {"GET", "/v1/messages", id},
		"method_of_no_model": {"DELETE", "/v1/models/x", version},
	} {
		gatewaytest.Golden(t, "lists/"+name+".txt", gatewaytest.Transcript(t, client, url, c.method, c.path, "", c.headers...))
	}
	if got := gatewaytest.Transcript(t, client, url, "GET", "/v1/models", ""); !strings.Contains(got, `{"object":"list","data":[{"id":"claude-sonnet-4-5"`) {
		t.Errorf("without anthropic-version: %s", got)
	}
	m.gpt.Models = nil
	if got := gatewaytest.Transcript(t, client, url, "GET", "/v1/models", "", version...); !strings.Contains(got, `{"data":[],"has_more":false,"first_id":null,"last_id":null}`) {
		t.Error(got)
	}
}

// The mesh's own 401 is in Anthropic's words, and a key is taken from where any
// of Anthropic's SDKs puts it.
func TestKeys(t *testing.T) {
	t.Parallel()
	const key = "key-of-sixteen-characters"
	m := newMesh(t, setup{auth: gatewaytest.Keys(t, key)})
	m.gpt.count = func(context.Context, *gptv1.CountTokensRequest) (*gptv1.CountTokensResponse, error) {
		return &gptv1.CountTokensResponse{InputTokens: 1}, nil
	}
	m.request.Script = gatewaytest.Chunks(answers["text"]...)
	url, client := gatewaytest.Serve(t, m.edge), gatewaytest.Client(t)
	gatewaytest.Golden(t, "no_key.txt", gatewaytest.Transcript(t, client, url, "POST", "/v1/messages", askStream, id...))
	gatewaytest.Golden(t, "bad_key.txt", gatewaytest.Transcript(t, client, url, "POST", "/v1/messages/count_tokens", ask, append([]string{"x-api-key", "wrong"}, id...)...))
	gatewaytest.Golden(t, "no_key_models.txt", gatewaytest.Transcript(t, client, url, "GET", "/v1/models", "", append([]string{"anthropic-version", "2023-06-01"}, id...)...))
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/v1/messages", ask}, {"POST", "/v1/messages/count_tokens", ask}, {"GET", "/v1/models", ""}, {"GET", "/v1/models/bare", ""},
	} {
		for _, headers := range [][]string{{"X-Api-Key", key}, {"Authorization", "Bearer " + key}, {"X-Api-Key", "stale", "Authorization", "Bearer " + key}} {
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			r.Host = "localhost"
			r.Header.Set("Anthropic-Version", "2023-06-01")
			for i := 0; i < len(headers); i += 2 {
				r.Header.Set(headers[i], headers[i+1])
			}
			w := httptest.NewRecorder()
			m.edge.ServeHTTP(w, r)
			if w.Code != 200 || w.Header().Get("Request-Id") == "" {
				t.Errorf("%s %v: %d %s", c.path, headers, w.Code, w.Body)
			}
		}
	}
}

func TestConfigNamesItsKey(t *testing.T) {
	t.Parallel()
	c := anthropic.Config{Heartbeat: -1}
	if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "heartbeat:") {
		t.Error(err)
	}
	if _, err := anthropic.New(anthropic.DefaultConfig(), anthropic.Deps{}); err == nil {
		t.Error("no rooms: no error")
	}
}
