package providertest

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"google.golang.org/protobuf/proto"
)

var update = flag.Bool("update", false, "write the golden files anew")

// requests: what an adapter sends, from the same typed turns and from a raw
// twin, against golden files.
func requests(t *testing.T, d *Dialect) {
	turns := map[string]*conversationv1.Turn{"plain": plain(), "tools": tools(), "rich": rich()}
	s, doer := serve(t, func() Script { return d.streamed(d.Events[StoryText]...) })
	p := d.New(t, doer)
	turns["raw"] = &conversationv1.Turn{
		Model: "alias", Stream: true, AcceptWire: p.Info().Wire, MaxOutputTokens: proto.Int64(99),
		Raw: &conversationv1.RawTurn{Wire: p.Info().Wire, Body: []byte(d.Raw)},
	}
	for name, turn := range turns {
		r := generate(t.Context(), p, &provider.Call{Turn: turn, Model: "model-1", MaxOutputTokens: 4000})
		if r.err != nil {
			t.Errorf("%s: %v", name, r.err)
			continue
		}
		got := s.request()
		for _, dropped := range r.answer.Started.GetDroppedFields() {
			got += "dropped " + dropped + "\n"
		}
		golden(t, filepath.Join("testdata", "requests", d.Name+"."+name+".txt"), got)
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: %s", path, diff)
	}
}

func message(role conversationv1.Role, parts ...*conversationv1.ContentPart) *conversationv1.Message {
	return &conversationv1.Message{Role: role, Parts: parts}
}

func plain() *conversationv1.Turn {
	return &conversationv1.Turn{
		Stream: true, MaxOutputTokens: proto.Int64(256), User: "user-1",
		Messages: []*conversationv1.Message{
			message(conversationv1.Role_ROLE_SYSTEM, text("Be brief.")), message(conversationv1.Role_ROLE_USER, text("Hi \u2028 <there>")),
			message(conversationv1.Role_ROLE_ASSISTANT, text("Hello.")), message(conversationv1.Role_ROLE_USER, text("Go on.")),
		},
		Sampling: &conversationv1.Sampling{Temperature: proto.Float64(0.5), TopP: proto.Float64(0.9), Seed: proto.Int64(1<<60 + 1), Stop: []string{"END"}},
	}
}

func tools() *conversationv1.Turn {
	call := func(id, name, args string) *conversationv1.ContentPart {
		return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_ToolCall{ToolCall: &conversationv1.ToolCall{Id: id, Name: name, ArgumentsJson: args}}}
	}
	result := func(id, name, said string) *conversationv1.ContentPart {
		return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_ToolResult{ToolResult: &conversationv1.ToolResult{
			ToolCallId: id, ToolName: name, Parts: []*conversationv1.ContentPart{text(said)},
		}}}
	}
	return &conversationv1.Turn{
		Stream: true,
		Messages: []*conversationv1.Message{
			message(conversationv1.Role_ROLE_USER, text("Weather and time?")),
			message(conversationv1.Role_ROLE_ASSISTANT, call("call_1", "get_weather", `{"z":1,"city":"Paris"}`), call("call_2", "get_time", `{}`)),
			message(conversationv1.Role_ROLE_TOOL, result("call_1", "get_weather", "sunny"), result("call_2", "get_time", "noon")),
		},
		Tools: []*conversationv1.Tool{
			{Name: "get_weather", Description: "The weather.", ParametersJson: `{"type":"object","properties":{"z":{"type":"integer"},"city":{"type":"string"}}}`},
			{Name: "get_time"},
		},
		ToolChoice: &conversationv1.ToolChoice{Mode: conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_AUTO},
	}
}

func rich() *conversationv1.Turn {
	return &conversationv1.Turn{
		Stream: true,
		Messages: []*conversationv1.Message{message(conversationv1.Role_ROLE_USER, text("What is this?"), &conversationv1.ContentPart{
			Kind: &conversationv1.ContentPart_Image{Image: &conversationv1.Image{Data: []byte{1, 2, 3}, MediaType: "image/png"}},
		})},
		ResponseFormat: &conversationv1.ResponseFormat{
			Kind: conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA, Name: "thing",
			SchemaJson: `{"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"additionalProperties":false}`,
		},
		Reasoning: &conversationv1.ReasoningOptions{Effort: "low"},
	}
}
