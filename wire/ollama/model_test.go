package ollama_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire/ollama"
)

var cards = []ollama.ModelCard{
	{
		Name: "llama3.2:latest", DisplayName: "Llama 3.2 (mesh)", ModifiedAt: time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC), Size: 2019393189,
		Digest: "sha256:A80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72", Family: "llama", ParameterSize: "3.2B",
		Quantization: "Q4_K_M", ContextLength: 131072, EmbeddingLength: 3072, Stop: []string{"<|eot_id|>", "a\"b\n"},
		Capabilities: []string{"completion", "tools", "insert", "tools"},
	},
	{Name: "gpt-x", FIM: true, Capabilities: []string{"completion"}, RemoteModel: "gpt-x", RemoteHost: "https://api.example.com"},
	{Name: "bare"},
}

func TestModelAnswers(t *testing.T) {
	t.Parallel()
	golden(t, "testdata/tags.golden", string(ollama.EncodeTags(cards))+"\n")
	golden(t, "testdata/show_full.golden", string(ollama.EncodeShow(&cards[0]))+"\n")
	golden(t, "testdata/show_fim.golden", string(ollama.EncodeShow(&cards[1]))+"\n")
	golden(t, "testdata/show_bare.golden", string(ollama.EncodeShow(&cards[2]))+"\n")
	golden(t, "testdata/ps.golden", string(ollama.EncodeRunning([]ollama.RunningModel{
		{ModelCard: cards[0], ExpiresAt: time.Date(2026, 1, 2, 3, 9, 5, 0, time.UTC), SizeVRAM: 7}}))+"\n")
	for got, want := range map[string]string{
		string(ollama.EncodeTags(nil)): `{"models":[]}`, string(ollama.EncodeRunning(nil)): `{"models":[]}`,
		string(ollama.EncodeVersion("0.24.0")): `{"version":"0.24.0"}`,
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// What Zed's serde, Roo Code's zod and Copilot's code demand of every model.
func TestStrictClientsReadModels(t *testing.T) {
	t.Parallel()
	type details struct {
		Format, Family    *string
		ParameterSize     *string `json:"parameter_size"`
		QuantizationLevel *string `json:"quantization_level"`
		ParentModel       *string `json:"parent_model"`
		Families          []string
	}
	check := func(name string, d *details) {
		if d == nil || d.Format == nil || d.Family == nil || d.ParameterSize == nil || d.QuantizationLevel == nil || d.ParentModel == nil || len(d.Families) == 0 {
			t.Errorf("%s: details lack something", name)
		}
	}
	var tags struct {
		Models []struct {
			Name, Model, Digest *string
			ModifiedAt          *time.Time `json:"modified_at"`
			Size                *uint64
			Details             *details
			Capabilities        []string
		}
	}
	if err := json.Unmarshal(ollama.EncodeTags(cards), &tags); err != nil || len(tags.Models) != len(cards) {
		t.Fatal(err)
	}
	for _, m := range tags.Models {
		check(*m.Name, m.Details)
		if *m.Model != *m.Name || m.ModifiedAt == nil || m.ModifiedAt.Year() < 2000 || m.Size == nil || m.Capabilities == nil ||
			!regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(*m.Digest) {
			t.Errorf("%s lacks something", *m.Name)
		}
	}
	if *tags.Models[1].Digest == *tags.Models[2].Digest {
		t.Error("two models have one digest")
	}
	for i := range cards {
		var show struct {
			Capabilities []string
			ModelInfo    map[string]any `json:"model_info"`
			Details      *details
			Template     *string
			Parameters   *string
			ModifiedAt   *time.Time `json:"modified_at"`
		}
		if err := json.Unmarshal(ollama.EncodeShow(&cards[i]), &show); err != nil {
			t.Fatal(err)
		}
		check(cards[i].Name, show.Details)
		architecture, _ := show.ModelInfo["general.architecture"].(string)
		if show.Capabilities == nil || architecture == "" || show.ModelInfo["general.basename"] == "" || show.ModifiedAt == nil {
			t.Errorf("%s lacks something", cards[i].Name)
		}
		if n, ok := show.ModelInfo[architecture+".context_length"].(float64); ok != (cards[i].ContextLength > 0) || int64(n) != cards[i].ContextLength {
			t.Errorf("%s: context length %v", cards[i].Name, n)
		}
		insert := false
		for _, c := range show.Capabilities {
			insert = insert || c == "insert"
		}
		if strings.Contains(*show.Template, ".Suffix") != cards[i].FIM || insert != cards[i].FIM {
			t.Errorf("%s: template %q, capabilities %q", cards[i].Name, *show.Template, show.Capabilities)
		}
		for _, line := range strings.Split(*show.Parameters, "\n") {
			if *show.Parameters != "" && len(strings.Fields(line)) < 2 {
				t.Errorf("%s: parameters have the line %q", cards[i].Name, line)
			}
		}
	}
}

func TestModelsThereAndBack(t *testing.T) {
	t.Parallel()
	decoded, err := ollama.DecodeTags(ollama.EncodeTags(cards[:1]))
	if err != nil || len(decoded) != 1 {
		t.Fatal(decoded, err)
	}
	got := decoded[0]
	if err := ollama.DecodeShow(ollama.EncodeShow(&cards[0]), &got); err != nil {
		t.Fatal(err)
	}
	want := cards[0]
	want.Digest = strings.ToLower(strings.TrimPrefix(want.Digest, "sha256:"))
	want.Format, want.Families, want.Capabilities = "gguf", []string{"llama"}, []string{"completion", "tools"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	running, err := ollama.DecodeRunning(ollama.EncodeRunning([]ollama.RunningModel{{ModelCard: cards[1], ExpiresAt: want.ModifiedAt, SizeVRAM: 3}}))
	if err != nil || len(running) != 1 || running[0].SizeVRAM != 3 || !running[0].ExpiresAt.Equal(want.ModifiedAt) {
		t.Errorf("%+v, %v", running, err)
	}
}

// The fixtures are as a server sends them: /api/tags of 0.12, /api/show shortened.
func TestDecodeProviderModels(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/provider_tags.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ollama.DecodeTags(body)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Name != "nomic-embed-text:latest" || got[1].ParameterSize != "7.6B" || got[1].ModifiedAt.IsZero() || got[1].Size != 4683087332 {
		t.Errorf("%+v", got)
	}
	if body, err = os.ReadFile("testdata/provider_show.json"); err != nil {
		t.Fatal(err)
	}
	card := got[1]
	if err := ollama.DecodeShow(body, &card); err != nil {
		t.Fatal(err)
	}
	if card.ContextLength != 8192 || card.EmbeddingLength != 3584 || !card.FIM || card.Family != "qwen2" ||
		!cmp.Equal(card.Stop, []string{"<|im_start|>", "<|im_end|>"}) || !cmp.Equal(card.Capabilities, []string{"completion", "tools", "insert"}) {
		t.Errorf("%+v", card)
	}
	old := ollama.ModelCard{Name: "old", Capabilities: []string{"completion"}}
	if err := ollama.DecodeShow([]byte(`{"template":"{{ .Prompt }}{{ .Suffix }}","model_info":{"llama.context_length":4096}}`), &old); err != nil || !old.FIM || old.ContextLength != 4096 {
		t.Errorf("%+v, %v", old, err)
	}
	for _, bad := range []string{``, `[]`, `<html>`, `{"models":7}`, `{"models":[1]}`} {
		if _, err := ollama.DecodeTags([]byte(bad)); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestShowRequest(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"model":"a"}`: "a", `{"name":"b"}`: "b", `{"model":"","name":"M","options":null,"verbose":false}`: "M", `{"model":"a","name":"b"}`: "a",
		string(ollama.EncodeShowRequest("x:7b")): "x:7b",
	} {
		if got, _, err := ollama.DecodeShowRequest([]byte(body)); err != nil || got != want {
			t.Errorf("%s: %q, %v", body, got, err)
		}
	}
	for _, body := range []string{`{}`, `{"name":" "}`, `{"model":7}`, `x`, `{"model":"a","model":"b"}`} {
		if got, _, err := ollama.DecodeShowRequest([]byte(body)); err == nil {
			t.Errorf("%s: %q", body, got)
		}
	}
}
