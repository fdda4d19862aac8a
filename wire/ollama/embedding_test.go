package ollama_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/ollama"
)

func TestEmbedRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ body, want, dropped string }{
		{`{"model":"m","input":"a"}`, `{"model":"served","input":["a"]}`, ""},
		{`{"name":"m","prompt":"a","keep_alive":"5m"}`, `{"model":"served","input":["a"],"keep_alive":"5m"}`, ""},
		{`{"model":"m","input":["a","b"],"truncate":false,"dimensions":64,"options":null}`, `{"model":"served","input":["a","b"],"truncate":false,"dimensions":64}`, ""},
		{`{"model":"m","input":[]}`, `{"model":"served","input":[]}`, ""},
	} {
		request, err := ollama.DecodeEmbedRequest([]byte(tt.body))
		if err != nil || request.Model != "m" {
			t.Errorf("%s: %v", tt.body, err)
			continue
		}
		got, dropped, err := ollama.EncodeEmbedRequest(request, "served")
		if err != nil || string(got) != tt.want || strings.Join(dropped, " ") != tt.dropped {
			t.Errorf("%s: %s, %q, %v", tt.body, got, dropped, err)
		}
	}
	for _, body := range []string{`{"input":7}`, `{"input":[[1,2]]}`, `{"input":"a","input":"b"}`, `{"dimensions":0}`, `{"truncate":1}`, `x`} {
		if _, err := ollama.DecodeEmbedRequest([]byte(body)); err == nil {
			t.Errorf("%s was taken", body)
		}
	}
	_, dropped, err := ollama.EncodeEmbedRequest(&wire.EmbeddingRequest{User: "u", ExtraJSON: `{"x":1}`, ExtraWire: conversationv1.Wire_WIRE_OPENAI_CHAT}, "m")
	if err != nil || strings.Join(dropped, " ") != "user x" {
		t.Error(dropped, err)
	}
	_, _, err = ollama.EncodeEmbedRequest(&wire.EmbeddingRequest{Inputs: []wire.EmbeddingInput{{Tokens: []int32{1}}}}, "m")
	if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED) {
		t.Error(err)
	}
}

func TestEmbeddings(t *testing.T) {
	t.Parallel()
	const body = `{"model":"nomic-embed-text","embeddings":[[0.010071029,-0.0017594862,1e-7],[0.5,1,-2]],"total_duration":14143917,"load_duration":1019500,"prompt_eval_count":8}`
	got, err := ollama.DecodeEmbeddings([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	want := [][]float32{{0.010071029, -0.0017594862, 1e-7}, {0.5, 1, -2}}
	if diff := cmp.Diff(want, got.Vectors); diff != "" || got.Usage.GetInputTokens() != 8 || got.Model != "nomic-embed-text" {
		t.Error(diff, got.Usage)
	}
	if out := string(ollama.EncodeEmbed(got, "As-Asked", 14143917*time.Nanosecond)); out !=
		`{"model":"As-Asked","embeddings":[[0.010071029,-0.0017594862,1e-07],[0.5,1,-2]],"total_duration":14143917,"load_duration":1,"prompt_eval_count":8}` {
		t.Error(out)
	}
	if out := string(ollama.EncodeEmbeddings(got)); out != `{"embedding":[0.010071029,-0.0017594862,1e-07]}` {
		t.Error(out)
	}
	if out := string(ollama.EncodeEmbeddings(&wire.EmbeddingAnswer{})); out != `{"embedding":[]}` {
		t.Error(out)
	}
	if got, err = ollama.DecodeEmbeddings([]byte(`{"embedding":[1,2]}`)); err != nil || !cmp.Equal(got.Vectors, [][]float32{{1, 2}}) || got.Usage != nil {
		t.Error(got, err)
	}
	for _, bad := range []string{`{"embeddings":[["a"]]}`, `{"embeddings":[1]}`, `{"embedding":{}}`, `no`} {
		if _, err := ollama.DecodeEmbeddings([]byte(bad)); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
