package bedrock_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/sigv4"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/services/gpt/provider/bedrock"
	"github.com/gptmesh/gptmesh/services/gpt/provider/providertest"
	"github.com/gptmesh/gptmesh/services/gpt/provider/transport"
	codec "github.com/gptmesh/gptmesh/wire/bedrock"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// config is that of a provider whose requests are signed.
func config(doer upstream.Doer, base string) bedrock.Config {
	return bedrock.Config{
		Config: transport.Config{Name: "suite", BaseURL: base, Doer: doer, UserAgent: "gptmesh/1.2.3"},
		Region: "eu-central-1", Clock: func() time.Time { return at },
		Credentials: sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: providertest.Key, SessionToken: "token"},
	}
}

// framed is a provider whose raw answers are messages again, as a client of the
// dialect gets them.
type framed struct{ provider.Provider }

// Generate implements provider.Provider.
func (f framed) Generate(ctx context.Context, call *provider.Call, sink provider.Sink) error {
	return f.Provider.Generate(ctx, call, func(chunk *conversationv1.Chunk) error {
		if raw := chunk.GetRaw(); raw.GetForm() == conversationv1.RawForm_RAW_FORM_NDJSON {
			data, err := codec.AppendFrames(nil, raw.GetData())
			if err != nil {
				return err
			}
			raw.Data = data
		}
		return sink(chunk)
	})
}

func quoted(text string) string {
	out, _ := json.Marshal(text)
	return string(out)
}

// event is a message as the service sends it, its padding included.
func event(name, payload string) string {
	payload = strings.TrimSuffix(payload, "}") + `,"p":"abcdefghijklm"}`
	return string(eventstream.AppendFrame(nil, []eventstream.FrameHeader{
		{Name: ":event-type", Value: name}, {Name: ":content-type", Value: "application/json"}, {Name: ":message-type", Value: "event"},
	}, []byte(payload)))
}

func exception(name, payload string) string {
	return string(eventstream.AppendFrame(nil, []eventstream.FrameHeader{
		{Name: ":exception-type", Value: name}, {Name: ":content-type", Value: "application/json"}, {Name: ":message-type", Value: "exception"},
	}, []byte(payload)))
}

func dialect() providertest.Dialect {
	start := event("messageStart", `{"role":"assistant"}`)
	delta := func(index, content string) string {
		return event("contentBlockDelta", `{"contentBlockIndex":`+index+`,"delta":`+content+`}`)
	}
	said := func(text string) string { return `{"text":` + quoted(text) + `}` }
	args := func(text string) string { return `{"toolUse":{"input":` + quoted(text) + `}}` }
	tool := func(index, id, name string) string {
		return event("contentBlockStart", `{"contentBlockIndex":`+index+`,"start":{"toolUse":{"name":"`+name+`","toolUseId":"`+id+`"}}}`)
	}
	stop := func(index string) string { return event("contentBlockStop", `{"contentBlockIndex":`+index+`}`) }
	end := func(reason string) []string {
		return []string{event("messageStop", `{"stopReason":"`+reason+`"}`),
			event("metadata", `{"metrics":{"latencyMs":421},"usage":{"inputTokens":12,"outputTokens":5,"totalTokens":17}}`)}
	}
	whole := func(content, reason string) string {
		return `{"metrics":{"latencyMs":421},"output":{"message":{"content":[` + content + `],"role":"assistant"}},"stopReason":"` + reason +
			`","usage":{"inputTokens":12,"outputTokens":5,"totalTokens":17}}`
	}
	return providertest.Dialect{
		Name: "bedrock", ContentType: "application/vnd.amazon.eventstream", LastEvents: 1,
		New: func(t *testing.T, doer upstream.Doer) provider.Provider {
			p, err := bedrock.New(config(doer, "http://suite/"))
			if err != nil {
				t.Fatal(err)
			}
			return framed{p}
		},
		Events: map[string][]string{
			providertest.StoryText: append([]string{start, delta("0", said("Hello,")), delta("0", said(" wörld 👋")), stop("0")}, end("end_turn")...),
			providertest.StoryTool: append([]string{start, tool("0", "tooluse_1", "get_weather"), delta("0", args("")), delta("0", args(`{"city":`)), delta("0", args(` "Paris"}`)), stop("0")}, end("tool_use")...),
			providertest.StoryParallel: append([]string{start, tool("0", "tooluse_1", "get_weather"), delta("0", args(`{"city":"Paris"}`)), stop("0"),
				tool("1", "tooluse_2", "get_time"), delta("1", args(`{"zone":"CET"}`)), stop("1")}, end("tool_use")...),
			providertest.StoryReasoning: append([]string{start, delta("0", `{"reasoningContent":{"text":"Let me think."}}`), delta("0", `{"reasoningContent":{"signature":"c2ln"}}`), stop("0"),
				delta("1", said("42")), stop("1")}, end("end_turn")...),
		},
		Whole: map[string]string{
			providertest.StoryText:      whole(said("Hello, wörld 👋"), "end_turn"),
			providertest.StoryTool:      whole(`{"toolUse":{"input":{"city":"Paris"},"name":"get_weather","toolUseId":"tooluse_1"}}`, "tool_use"),
			providertest.StoryReasoning: whole(`{"reasoningContent":{"reasoningText":{"signature":"c2ln","text":"Let me think."}}},{"text":"42"}`, "end_turn"),
		},
		Long: func(text string) []string {
			return append([]string{start, delta("0", said(text)), stop("0")}, end("end_turn")...)
		},
		Failure: exception("throttlingException", `{"message":"Too many tokens"}`),
		Refusals: []providertest.Refusal{
			{Status: 400, Body: `{"message":"Malformed input request: #: extraneous key [x] is not permitted"}`, Reason: "PROVIDER_REJECTED"},
			{Status: 400, Body: `{"message":"The provided model identifier is invalid."}`, Reason: "MODEL_NOT_FOUND"},
			{Status: 400, Body: `{"message":"Input is too long for requested model."}`, Reason: "CONTEXT_LENGTH_EXCEEDED"},
			{Status: 403, Body: `{"message":"The security token included in the request is expired"}`, Reason: "PROVIDER_REFUSED_KEY"},
			{Status: 404, Body: `{"message":"Could not resolve the foundation model from the provided model identifier."}`, Reason: "MODEL_NOT_FOUND"},
			{Status: 424, Body: `{"message":"The system encountered an unexpected error at /srv/secret.py"}`, Reason: "PROVIDER_ERROR"},
			{Status: 429, Body: `{"message":"Too many requests, please wait before trying again."}`, Reason: "PROVIDER_RATE_LIMITED"},
		},
		Raw: `{"x_unknown":12345678901234567890, "messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"topP":0.5}}`,
	}
}

func TestBedrock(t *testing.T) {
	t.Parallel()
	providertest.Run(t, dialect())
}

// serve returns a server's address and a client.
func serve(t *testing.T, handler http.HandlerFunc) (string, upstream.Doer) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	doer, err := upstream.New(upstream.Config{Transport: upstream.TransportLean})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { doer.Close() })
	return server.URL, doer
}

func hello() *provider.Call {
	return &provider.Call{Model: "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", Turn: &conversationv1.Turn{
		Reasoning: &conversationv1.ReasoningOptions{Effort: "low"},
		Messages: []*conversationv1.Message{{Role: conversationv1.Role_ROLE_USER, Parts: []*conversationv1.ContentPart{
			{Kind: &conversationv1.ContentPart_Text{Text: "hi"}}}}},
	}}
}

func ignore(*conversationv1.Chunk) error { return nil }

const answer = `{"output":{"message":{"role":"assistant","content":[{"text":"x"}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2}}`

// The server can make the signature again from what it got.
func TestRequestsAreSigned(t *testing.T) {
	t.Parallel()
	base, doer := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.EscapedPath() != "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse" {
			t.Error(r.URL.EscapedPath())
		}
		want := sigv4.Sign(sigv4.Request{
			Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Body: body,
			Header: []sigv4.Field{{Name: "content-type", Value: r.Header.Get("Content-Type")}},
		}, sigv4.Scope{Region: "eu-central-1", Service: "bedrock"},
			sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: providertest.Key, SessionToken: "token"}, at)
		for _, f := range want {
			if r.Header.Get(f.Name) != f.Value {
				t.Errorf("%s: %q, want %q", f.Name, r.Header.Get(f.Name), f.Value)
			}
		}
		if !strings.Contains(string(body), `"additionalModelRequestFields":{"thinking":{"type":"enabled"`) {
			t.Errorf("%s", body)
		}
		_, _ = io.WriteString(w, answer)
	})
	p, err := bedrock.New(config(doer, base))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Generate(context.Background(), hello(), ignore); err != nil {
		t.Error(err)
	}
}

// With a key of Bedrock's own nothing is signed, and no region is needed where
// the address is given.
func TestBearerToken(t *testing.T) {
	t.Parallel()
	base, doer := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer key" || r.Header.Get("X-Amz-Date") != "" {
			t.Error(r.Header)
		}
		_, _ = io.WriteString(w, answer)
	})
	p, err := bedrock.New(bedrock.Config{Config: transport.Config{
		Name: "suite", BaseURL: base, Doer: doer, Header: upstream.Header{{Name: "Authorization", Value: "Bearer key"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Generate(context.Background(), hello(), ignore); err != nil {
		t.Error(err)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"us-east-1": "https://bedrock-runtime.us-east-1.amazonaws.com", "cn-north-1": "https://bedrock-runtime.cn-north-1.amazonaws.com.cn",
		"": "", "evil.example/": "",
	} {
		p, err := bedrock.New(bedrock.Config{Config: transport.Config{Name: "b"}, Region: region})
		if want == "" {
			if err == nil {
				t.Errorf("%q was taken", region)
			}
			continue
		}
		if err != nil || p.Info().BaseURL != want {
			t.Errorf("%q: %v", region, err)
		}
	}
}

// A message that was damaged on the way is a breach of the protocol, not an end.
func TestCorruptStream(t *testing.T) {
	t.Parallel()
	base, doer := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		damaged := []byte(event("messageStop", `{"stopReason":"end_turn"}`))
		damaged[len(damaged)-10] ^= 1
		_, _ = io.WriteString(w, event("messageStart", `{"role":"assistant"}`)+string(damaged))
	})
	p, err := bedrock.New(config(doer, base))
	if err != nil {
		t.Fatal(err)
	}
	call := hello()
	call.Turn.Stream = true
	if err := p.Generate(context.Background(), call, ignore); fault.ReasonName(fault.From(err).Reason) != "PROVIDER_PROTOCOL" {
		t.Error(err)
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	base, doer := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/foundation-models":
			_, _ = io.WriteString(w, `{"modelSummaries":[
				{"modelId":"anthropic.claude-3-haiku-20240307-v1:0","modelName":"Claude 3 Haiku","providerName":"Anthropic","inputModalities":["TEXT","IMAGE"],"outputModalities":["TEXT"],"inferenceTypesSupported":["ON_DEMAND"]},
				{"modelId":"anthropic.claude-sonnet-4-5-20250929-v1:0","providerName":"Anthropic","inputModalities":["TEXT"],"outputModalities":["TEXT"],"inferenceTypesSupported":["INFERENCE_PROFILE"]},
				{"modelId":"amazon.titan-embed-text-v2:0","outputModalities":["EMBEDDING"],"inferenceTypesSupported":["ON_DEMAND"]},
				{"modelId":"stability.image","outputModalities":["IMAGE"],"inferenceTypesSupported":["ON_DEMAND"]}]}`)
		case "/inference-profiles":
			if r.URL.Query().Get("nextToken") == "" {
				_, _ = io.WriteString(w, `{"inferenceProfileSummaries":[{"inferenceProfileId":"eu.stability.image","status":"ACTIVE","models":[{"modelArn":"arn:aws:bedrock:eu-central-1::foundation-model/stability.image"}]}],"nextToken":"n+1"}`)
				return
			}
			if r.URL.Query().Get("nextToken") != "n+1" {
				t.Error(r.URL)
			}
			_, _ = io.WriteString(w, `{"inferenceProfileSummaries":[{"inferenceProfileId":"eu.anthropic.claude-sonnet-4-5-20250929-v1:0","inferenceProfileName":"EU Claude","status":"ACTIVE","models":[{"modelArn":"arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"}]}]}`)
		default:
			t.Error(r.URL)
		}
	})
	p, err := bedrock.New(config(doer, base))
	if err != nil {
		t.Fatal(err)
	}
	models, err := p.Models(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range models {
		names = append(names, m.GetProviderModel())
	}
	if got := strings.Join(names, " "); got != "anthropic.claude-3-haiku-20240307-v1:0 amazon.titan-embed-text-v2:0 eu.anthropic.claude-sonnet-4-5-20250929-v1:0" {
		t.Error(got)
	}
}

func TestEmbed(t *testing.T) {
	t.Parallel()
	base, doer := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Text       string `json:"inputText"`
			Texts      []string
			Dimensions *int
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		if strings.Contains(r.URL.Path, "titan") {
			if body.Dimensions == nil || *body.Dimensions != 256 {
				t.Errorf("%+v", body)
			}
			_, _ = io.WriteString(w, `{"embedding":[`+body.Text+`,0.5],"inputTextTokenCount":3}`)
			return
		}
		var list []string
		for _, text := range body.Texts {
			list = append(list, `[`+text+`,0.25]`)
		}
		_, _ = io.WriteString(w, `{"embeddings":{"float":[`+strings.Join(list, ",")+`]}}`)
	})
	p, err := bedrock.New(config(doer, base))
	if err != nil {
		t.Fatal(err)
	}
	size := int32(256)
	request := &gptv1.EmbedRequest{Dimensions: &size}
	for i := range 100 {
		request.Inputs = append(request.Inputs, &gptv1.EmbedInput{Kind: &gptv1.EmbedInput_Text{Text: string(rune('0' + i%10))}})
	}
	for model, tokens := range map[string]int64{"amazon.titan-embed-text-v2:0": 300, "cohere.embed-v4:0": 0} {
		answer, err := p.Embed(context.Background(), &provider.EmbedCall{Request: request, Model: model})
		if err != nil || len(answer.GetEmbeddings()) != 100 || answer.GetUsage().GetInputTokens() != tokens {
			t.Fatal(model, answer.GetUsage(), err)
		}
		for i, e := range answer.GetEmbeddings() {
			if len(e.GetValues()) != 2 || e.GetValues()[0] != float32(i%10) {
				t.Fatal(model, i, e)
			}
		}
	}
	if _, err := p.Embed(context.Background(), &provider.EmbedCall{Request: request, Model: "other"}); fault.ReasonName(fault.From(err).Reason) != "UNSUPPORTED" {
		t.Error(err)
	}
}
