package anthropic_test

import (
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/anthropic"
)

func TestRefusedBodies(t *testing.T) {
	t.Parallel()
	const bad, twice = meshv1.ErrorReason_ERROR_REASON_MALFORMED_BODY, meshv1.ErrorReason_ERROR_REASON_DUPLICATE_FIELD
	for _, tt := range []struct {
		body, field string
		reason      meshv1.ErrorReason
		scan        bool // ScanTurn sees it too
	}{
		{`{`, "", bad, true},
		{`"x"`, "", bad, true},
		{`{"model":"m"}`, "max_tokens", bad, true},
		{`{"max_tokens":0}`, "max_tokens", bad, true},
		{`{"max_tokens":"9"}`, "max_tokens", bad, true},
		{`{"max_tokens":1.5}`, "max_tokens", bad, true},
		{`{"max_tokens":1,"max_tokens":2}`, "max_tokens", twice, true},
		{`{"max_tokens":1,"messages":[],"messages":[]}`, "messages", twice, true},
		{`{"max_tokens":1,"stream":1}`, "stream", bad, true},
		{`{"max_tokens":1,"model":{}}`, "model", bad, true},
		{`{"max_tokens":1,"temperature":1.5}`, "temperature", bad, false},
		{`{"max_tokens":1,"top_p":-1}`, "top_p", bad, false},
		{`{"max_tokens":1,"top_k":-1}`, "top_k", bad, false},
		{`{"max_tokens":1,"stop_sequences":"x"}`, "stop_sequences", bad, false},
		{`{"max_tokens":1,"messages":{}}`, "messages", bad, false},
		{`{"max_tokens":1,"messages":[{"role":"tool","content":"x"}]}`, "messages.0.role", bad, false},
		{`{"max_tokens":1,"messages":[{"role":"user","content":7}]}`, "messages.0.content", bad, false},
		{`{"max_tokens":1,"messages":[{"role":"user","content":["x"]}]}`, "messages.0.content.0", bad, false},
		{`{"max_tokens":1,"messages":[{"role":"user","content":[{"text":"x"}]}]}`, "messages.0.content.0.type", bad, false},
		{`{"max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":1}]}]}`, "messages.0.content.0.text", bad, false},
		{`{"max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result"}]}]}`, "messages.0.content.0.tool_use_id", bad, false},
		{`{"max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a"}]}]}`, "messages.0.content.0.name", bad, false},
		{`{"max_tokens":1,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"?"}}]}]}`, "messages.0.content.0.source.data", bad, false},
		{`{"max_tokens":1,"system":[{"type":"text","text":[]}]}`, "system.0.text", bad, false},
		{`{"max_tokens":1,"tools":[{"input_schema":{}}]}`, "tools.0.name", bad, false},
		{`{"max_tokens":1,"tool_choice":{"type":"some"}}`, "tool_choice.type", bad, false},
		{`{"max_tokens":1,"tool_choice":{"type":"tool"}}`, "tool_choice.name", bad, false},
		{`{"max_tokens":1,"thinking":{"type":"enabled","budget_tokens":0}}`, "thinking.budget_tokens", bad, false},
		{`{"max_tokens":1,"metadata":{"user_id":7}}`, "metadata.user_id", bad, false},
	} {
		if rest, object := strings.CutPrefix(tt.body, `{"`); object && !strings.Contains(rest, `"messages"`) {
			tt.body = `{"messages":[{"role":"user","content":"x"}],"` + rest
		}
		_, scanned := anthropic.Messages().ScanTurn([]byte(tt.body))
		_, decoded := anthropic.Messages().DecodeTurn([]byte(tt.body))
		if (scanned != nil) != tt.scan {
			t.Errorf("%s: ScanTurn: %v", tt.body, scanned)
		}
		f, ok := decoded.(*fault.Fault)
		if !ok || f.Reason != tt.reason || f.Field() != tt.field || f.Metadata["field"] != tt.field {
			t.Errorf("%s: DecodeTurn: %v, want %s", tt.body, decoded, tt.field)
		}
	}
}

func TestRawTurnIsSpliced(t *testing.T) {
	t.Parallel()
	limit := func(n int64) *int64 { return &n }
	for _, tt := range []struct {
		body  string
		limit *int64
		want  string
	}{
		{`{ "max_tokens" : 9, "model":"a", "x" : [1, 2] }`, limit(9), `{ "max_tokens" : 9, "model":"served", "x" : [1, 2],"stream":true }`},
		{`{"max_tokens":9,"stream":false}`, limit(5), `{"max_tokens":5,"stream":true,"model":"served"}`},
		{`{"max_tokens":9,"stream":false}`, nil, `{"max_tokens":9,"stream":true,"model":"served"}`},
	} {
		turn := &conversationv1.Turn{MaxOutputTokens: tt.limit, Raw: &conversationv1.RawTurn{Wire: conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES, Body: []byte(tt.body)}}
		got, dropped, err := anthropic.Messages().EncodeTurn(turn, wire.TurnOptions{Model: "served", Stream: true})
		if err != nil || len(dropped) > 0 || string(got) != tt.want {
			t.Errorf("%s, %v, %v; want %s", got, dropped, err, tt.want)
		}
		if string(turn.Raw.Body) != tt.body {
			t.Error("the client's body was changed")
		}
	}
}

func TestQuirks(t *testing.T) {
	t.Parallel()
	half := 0.5
	turn := &conversationv1.Turn{
		Reasoning: &conversationv1.ReasoningOptions{Effort: "minimal"},
		Sampling:  &conversationv1.Sampling{Temperature: &half, TopP: &half},
		ResponseFormat: &conversationv1.ResponseFormat{
			Kind: conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA, SchemaJson: `{}`},
	}
	for _, tt := range []struct {
		quirks        string
		want, dropped string
	}{
		{"", `{"model":"m","max_tokens":5120,"messages":[],"thinking":{"type":"enabled","budget_tokens":1024},"output_config":{"format":{"type":"json_schema","schema":{}}},"stream":false}`, "sampling.temperature sampling.top_p"},
		{"no_output_config", `{"model":"m","max_tokens":5120,"messages":[],"thinking":{"type":"enabled","budget_tokens":1024},"stream":false}`, "sampling.temperature sampling.top_p response_format"},
		{"adaptive_thinking", `{"model":"m","max_tokens":4096,"messages":[],"thinking":{"type":"adaptive"},"output_config":{"format":{"type":"json_schema","schema":{}},"effort":"low"},"stream":false}`, "sampling.temperature sampling.top_p"},
	} {
		got, dropped, err := anthropic.Messages().EncodeTurn(turn, wire.TurnOptions{Model: "m", Quirks: strings.Fields(tt.quirks)})
		if err != nil || string(got) != tt.want || strings.Join(dropped, " ") != tt.dropped {
			t.Errorf("%s: %s, %q, %v", tt.quirks, got, dropped, err)
		}
	}
	turn.Reasoning, turn.ResponseFormat = nil, nil
	for quirk, want := range map[string]string{
		"":                     `{"model":"m","max_tokens":4096,"messages":[],"temperature":0.5,"top_p":0.5,"stream":false}`,
		"temperature_or_top_p": `{"model":"m","max_tokens":4096,"messages":[],"temperature":0.5,"stream":false}`,
		"no_sampling":          `{"model":"m","max_tokens":4096,"messages":[],"stream":false}`,
	} {
		if got, _, err := anthropic.Messages().EncodeTurn(turn, wire.TurnOptions{Model: "m", Quirks: []string{quirk}}); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", quirk, got, err)
		}
	}
}

func TestCountRequestNeedsNoLimit(t *testing.T) {
	t.Parallel()
	turn, err := anthropic.DecodeCountRequest([]byte(`{"model":"m","system":"S","messages":[{"role":"user","content":"hi"}]}`))
	if err != nil || len(turn.Messages) != 2 || turn.MaxOutputTokens != nil {
		t.Errorf("%v, %v", turn, err)
	}
	if _, err := anthropic.DecodeCountRequest([]byte(`{"max_tokens":-1}`)); err == nil {
		t.Error("a limit below 1 was taken")
	}
}
