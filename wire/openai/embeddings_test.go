package openai_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/openai"
	"google.golang.org/protobuf/testing/protocmp"
)

const own = conversationv1.Wire_WIRE_OPENAI_CHAT

func TestDecodeEmbeddings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		body   string
		want   *wire.EmbeddingRequest
		format openai.VectorFormat
	}{
		{`{"model":"m","input":"a"}`, &wire.EmbeddingRequest{Model: "m", Inputs: []wire.EmbeddingInput{{Text: "a"}}}, openai.VectorFloat},
		{`{"input":["a","b"],"encoding_format":"base64","dimensions":3,"user":"u","x":1e400}`,
			&wire.EmbeddingRequest{Inputs: []wire.EmbeddingInput{{Text: "a"}, {Text: "b"}}, Dimensions: new(int32(3)), User: "u", ExtraJSON: `{"x":1e400}`}, openai.VectorBase64},
		{`{"input":[1,2],"encoding_format":null}`, &wire.EmbeddingRequest{Inputs: []wire.EmbeddingInput{{Tokens: []int32{1, 2}}}}, openai.VectorFloat},
		{`{"input":[[1],[2,3]],"encoding_format":"float","truncate":true}`,
			&wire.EmbeddingRequest{Inputs: []wire.EmbeddingInput{{Tokens: []int32{1}}, {Tokens: []int32{2, 3}}}, Truncate: new(true)}, openai.VectorFloat},
		{`{"input":"a","truncate":"END"}`, &wire.EmbeddingRequest{Inputs: []wire.EmbeddingInput{{Text: "a"}}, ExtraJSON: `{"truncate":"END"}`}, openai.VectorFloat},
	} {
		got, format, err := openai.DecodeEmbeddings([]byte(test.body))
		if err != nil {
			t.Errorf("%s: %v", test.body, err)
			continue
		}
		test.want.ExtraWire = own
		if diff := cmp.Diff(test.want, got); diff != "" || format != test.format {
			t.Errorf("%s: %v\n%s", test.body, format, diff)
		}
	}
	for body, field := range map[string]string{
		`{`: "", `{"model":"m"}`: "input", `{"input":""}`: "input", `{"input":[]}`: "input", `{"input":7}`: "input", `{"input":["a",""]}`: "input[1]", `{"input":[1,"a"]}`: "input[1]", `{"input":["a",1]}`: "input[1]",
		`{"input":[[]]}`: "input[0]", `{"input":[[1.5]]}`: "input[0][0]", `{"input":[-1]}`: "input[0]", `{"input":"a","encoding_format":"int8"}`: "encoding_format",
		`{"input":"a","dimensions":0}`: "dimensions", `{"input":"a","model":7}`: "model", `{"input":"a","input":"b"}`: "input",
		`{"input":[` + strings.Repeat(`"a",`, 2048) + `"a"]}`: "input",
	} {
		if _, _, err := openai.DecodeEmbeddings([]byte(body)); err == nil || fault.From(err).Field() != field {
			t.Errorf("%.60s: have %v, want a refusal of %s", body, err, field)
		}
	}
}

func TestEncodeEmbeddings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		request       wire.EmbeddingRequest
		want, dropped string
	}{
		{wire.EmbeddingRequest{Inputs: []wire.EmbeddingInput{{Text: "a"}}}, `{"model":"p","input":"a"}`, ""},
		{wire.EmbeddingRequest{Inputs: []wire.EmbeddingInput{{Text: "a"}, {Text: "b"}}, Dimensions: new(int32(3)), User: "u", Truncate: new(false), ExtraJSON: `{"keep_alive":1}`, ExtraWire: conversationv1.Wire_WIRE_OLLAMA_CHAT},
			`{"model":"p","input":["a","b"],"dimensions":3,"user":"u"}`, "truncate keep_alive"},
		{wire.EmbeddingRequest{Inputs: []wire.EmbeddingInput{{Tokens: []int32{1, 2}}}, Truncate: new(true), ExtraJSON: `{"x":1e400,"encoding_format":"base64","model":"evil"}`, ExtraWire: own},
			`{"model":"p","input":[[1,2]],"truncate":true,"x":1e400}`, ""},
	} {
		body, dropped, err := openai.EncodeEmbeddings(&test.request, "p")
		if err != nil || string(body) != test.want || strings.Join(dropped, " ") != test.dropped {
			t.Errorf("have %s, %q, %v\nwant %s", body, dropped, err, test.want)
		}
	}
	if _, _, err := openai.EncodeEmbeddings(&wire.EmbeddingRequest{}, "p"); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_INVALID_FIELD) {
		t.Error(err)
	}
}

// TestVectors holds both forms of vectors against a recording of OpenAI's.
func TestVectors(t *testing.T) {
	t.Parallel()
	const floats = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,-0.5,0.1]},{"object":"embedding","index":1,"embedding":[0,3.4028235e+38,1e-45]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}}`
	const encoded = `{"object":"list","data":[{"object":"embedding","index":1,"embedding":"AAAAAP//f38BAAAA"},{"object":"embedding","index":0,"embedding":"AACAPwAAAL/NzMw9"}],"model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}}`
	want := &wire.EmbeddingAnswer{
		Model: "text-embedding-3-small", Vectors: [][]float32{{1, -0.5, 0.1}, {0, math.MaxFloat32, math.SmallestNonzeroFloat32}},
		Usage: &conversationv1.Usage{InputTokens: 8, Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER},
	}
	for _, body := range []string{floats, encoded} {
		got, err := openai.DecodeEmbeddingAnswer([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
	}
	for _, format := range []openai.VectorFormat{openai.VectorFloat, openai.VectorBase64} {
		body := openai.EncodeEmbeddingAnswer(want, format, "", "")
		if !json.Valid(body) || (format == openai.VectorBase64) != strings.Contains(string(body), `"AACAPwAAAL/NzMw9"`) {
			t.Errorf("have %s", body)
		}
		got, err := openai.DecodeEmbeddingAnswer(body)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
	}
	odd := &wire.EmbeddingAnswer{Vectors: [][]float32{{float32(math.NaN()), float32(math.Inf(1))}}}
	if body := openai.EncodeEmbeddingAnswer(odd, openai.VectorFloat, "m", ""); !strings.Contains(string(body), `"embedding":[0,0]`) || !strings.Contains(string(body), `"model":"m"`) {
		t.Errorf("have %s", body)
	}
	for _, body := range []string{
		``, `{}`, `{"data":[7]}`, `{"data":[{"index":1,"embedding":[1]}]}`, `{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}`,
		`{"data":[{"embedding":"AAA"}]}`, `{"data":[{"embedding":"%"}]}`, `{"data":[{"embedding":["x"]}]}`, `{"data":[{"embedding":null}]}`, `{"data":[{"index":99999999,"embedding":[]}]}`,
	} {
		if _, err := openai.DecodeEmbeddingAnswer([]byte(body)); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL) {
			t.Errorf("%s: have %v", body, err)
		}
	}
	if _, err := openai.DecodeEmbeddingAnswer([]byte(`{"error":{"message":"x","code":"rate_limit_exceeded"}}`)); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED) {
		t.Error(err)
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	const want = `{"object":"list","data":[{"id":"m","object":"model","created":7,"owned_by":"o","name":"M","context_length":100,"contextWindow":100,"maxInputTokens":90,"maxOutputTokens":10,"toolCalling":true,"vision":false,"thinking":true,"streaming":true,"supportsReasoningEffort":["low"],"reasoningEffortFormat":"chat-completions"},` +
		`{"id":"n","object":"model","created":0,"owned_by":"gptmesh","name":"n","toolCalling":false,"vision":false,"thinking":false,"streaming":true}]}`
	list := []openai.Model{
		{ID: "m", Created: time.Unix(7, 0), OwnedBy: "o", Name: "M", ContextLength: 100, MaxOutputTokens: 10, ToolCalling: true, Thinking: true, ReasoningEfforts: []string{"low"}}, {ID: "n"},
	}
	if got := string(openai.EncodeModels(list)); got != want {
		t.Errorf("have %s", got)
	}
	card := openai.EncodeModel(openai.Model{ID: "m", ContextLength: 100, FillsGaps: true, Mistral: true})
	if !strings.HasSuffix(string(card), `,"type":"base","max_context_length":100,"capabilities":{"completion_chat":true,"function_calling":false,"completion_fim":true,"vision":false,"reasoning":false,"fine_tuning":false}}`) {
		t.Errorf("Mistral's: have %s", card)
	}
	if got := string(openai.EncodeModels(nil)); got != `{"object":"list","data":[]}` {
		t.Errorf("have %s", got)
	}
	if got := string(openai.EncodeModel(list[1])); !strings.HasPrefix(got, `{"id":"n",`) {
		t.Errorf("have %s", got)
	}
	for body, want := range map[string][]openai.Model{
		`{"object":"list","data":[{"id":"gpt-4o","object":"model","created":1715367049,"owned_by":"system"},{"object":"model"},7]}`: {{ID: "gpt-4o", Created: time.Unix(1715367049, 0).UTC(), OwnedBy: "system"}},
		`{"data":[{"id":"v","max_model_len":8192}]}`:                                {{ID: "v", ContextLength: 8192}},
		`{"data":[{"id":"g","context_window":131072,"max_completion_tokens":9}]}`:   {{ID: "g", ContextLength: 131072, MaxOutputTokens: 9}},
		`{"models":[{"name":"l"}],"data":[{"id":"l","meta":{"n_ctx_train":4096}}]}`: {{ID: "l", ContextLength: 4096}},
		`[{"id":"t","context_length":5}]`:                                           {{ID: "t", ContextLength: 5}},
		`{"data":[{"id":"r","name":"R","context_length":6,"architecture":{"input_modalities":["text","image"]},"top_provider":{"max_completion_tokens":2},"supported_parameters":["tools","reasoning"]}]}`: {{ID: "r", Name: "R", ContextLength: 6, MaxOutputTokens: 2, Vision: true, ToolCalling: true, Thinking: true}},
		`{"data":[{"id":"s","max_context_length":7,"capabilities":{"function_calling":true,"vision":true}}]}`:                                                                                              {{ID: "s", ContextLength: 7, ToolCalling: true, Vision: true}},
		`{"object":"list","data":null}`: nil,
	} {
		got, err := openai.DecodeModels([]byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", body, diff)
		}
	}
	for _, body := range []string{``, `{}`, `"x"`, `{"data":7}`} {
		if _, err := openai.DecodeModels([]byte(body)); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL) {
			t.Errorf("%s: have %v", body, err)
		}
	}
}
