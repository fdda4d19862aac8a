package ollama_test

import (
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/ollama"
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
		{`[]`, "", bad, true},
		{`{"model":1}`, "model", bad, true},
		{`{"model":"a","model":"b"}`, "model", twice, true},
		{`{"mod\u0065l":"a"}`, "model", bad, true},
		{`{"model":"a","Model":"b"}`, "Model", bad, true},
		{`{"model":"a","ſtream":true}`, "ſtream", bad, true},
		{`{"messages":[],"messages":[]}`, "messages", twice, true},
		{`{"stream":"yes"}`, "stream", bad, true},
		{`{"options":[]}`, "options", bad, true},
		{`{"options":{"num_predict":"9"}}`, "options.num_predict", bad, true},
		{`{"options":{"num_predict":1.5}}`, "options.num_predict", bad, true},
		{`{"options":{"num_predict":1,"num_predict":2}}`, "num_predict", twice, true},
		{`{"options":{"temperature":"hot"}}`, "options.temperature", bad, false},
		{`{"options":{"stop":[1]}}`, "options.stop.0", bad, false},
		{`{"messages":{}}`, "messages", bad, false},
		{`{"messages":[1]}`, "messages.0", bad, false},
		{`{"messages":[{"role":"bot","content":""}]}`, "messages.0.role", bad, false},
		{`{"messages":[{"role":"user","content":{}}]}`, "messages.0.content", bad, false},
		{`{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, "messages.0.content.0.type", bad, false},
		{`{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b","images":["?"]}]}`, "messages.1.images.0", bad, false},
		{`{"messages":[{"role":"assistant","tool_calls":[{"function":{"arguments":{}}}]}]}`, "messages.0.tool_calls.0.function.name", bad, false},
		{`{"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":[]}}]}]}`, "messages.0.tool_calls.0.function.arguments", bad, false},
		{`{"tools":[{"type":"function","function":{}}]}`, "tools.0.function.name", bad, false},
		{`{"tools":[{"type":"function","function":{"name":"f","parameters":"x"}}]}`, "tools.0.function.parameters", bad, false},
		{`{"format":"xml"}`, "format", bad, false},
		{`{"think":"a lot"}`, "think", bad, false},
		{`{"think":1}`, "think", bad, false},
	} {
		_, scanned := ollama.Chat().ScanTurn([]byte(tt.body))
		_, decoded := ollama.Chat().DecodeTurn([]byte(tt.body))
		if (scanned != nil) != tt.scan {
			t.Errorf("%s: ScanTurn: %v", tt.body, scanned)
		}
		f, ok := decoded.(*fault.Fault)
		if !ok || f.Reason != tt.reason || f.Field() != tt.field || f.Metadata["field"] != tt.field {
			t.Errorf("%s: DecodeTurn: %v, want %s", tt.body, decoded, tt.field)
		}
	}
}

func TestLimitOfTokens(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int64{
		`{"options":{"num_predict":128}}`:                           128,
		`{"options":{"num_predict":128.0}}`:                         128,
		`{"options":{"num_predict":-1},"max_output_tokens":5}`:      0,
		`{"options":{"num_predict":-2}}`:                            0,
		`{"options":{"num_predict":0}}`:                             0,
		`{"max_output_tokens":5}`:                                   5,
		`{"max_output_tokens":5,"options":{"num_predict":null}}`:    5,
		`{"max_output_tokens":5,"options":{"num_predict":7},"x":1}`: 7,
	} {
		turn, err := ollama.Chat().ScanTurn([]byte(body))
		if err != nil || turn.GetMaxOutputTokens() != want || (turn.MaxOutputTokens == nil) != (want == 0) {
			t.Errorf("%s: %v, %v", body, turn.GetMaxOutputTokens(), err)
		}
	}
}

func TestRawTurnIsSpliced(t *testing.T) {
	t.Parallel()
	limit := func(n int64) *int64 { return &n }
	for _, tt := range []struct {
		name, body string
		limit      *int64
		want       string
	}{
		{"nothing else changes", `{ "model" : "a", "x": [1, 2] }`, nil, `{ "model" : "served", "x": [1, 2],"stream":false }`},
		{"name goes", `{"model":"","name":"M","messages":[]}`, nil, `{"model":"served","messages":[],"stream":false}`},
		{"the limit was narrowed", `{"model":"a","options":{"num_predict":100,"seed":1}}`, limit(10), `{"model":"served","options":{"num_predict":10,"seed":1},"stream":false}`},
		{"a limit was set", `{"model":"a"}`, limit(10), `{"model":"served","stream":false,"options":{"num_predict":10}}`},
		{"no options", `{"model":"a","options":null}`, limit(10), `{"model":"served","options":{"num_predict":10},"stream":false}`},
		{"the limit is the same", `{"model":"a","options":{"num_predict":1e1}}`, limit(10), `{"model":"served","options":{"num_predict":1e1},"stream":false}`},
		{"no limit", `{"model":"a","options":{"num_predict":-1}}`, nil, `{"model":"served","options":{"num_predict":-1},"stream":false}`},
		{"beside options", `{"model":"a","max_output_tokens":10,"stop":["x"]}`, limit(10), `{"model":"served","stream":false,"options":{"num_predict":10,"stop":["x"]}}`},
	} {
		turn := &conversationv1.Turn{MaxOutputTokens: tt.limit, Raw: &conversationv1.RawTurn{Wire: conversationv1.Wire_WIRE_OLLAMA_CHAT, Body: []byte(tt.body)}}
		got, dropped, err := ollama.Chat().EncodeTurn(turn, wire.TurnOptions{Model: "served"})
		if err != nil || len(dropped) > 0 || string(got) != tt.want {
			t.Errorf("%s: %s, %v, %v", tt.name, got, dropped, err)
		}
		if string(turn.Raw.Body) != tt.body {
			t.Errorf("%s: the client's body was changed", tt.name)
		}
	}
}

func TestGenerateRefusesHistory(t *testing.T) {
	t.Parallel()
	said := func(role conversationv1.Role) *conversationv1.Message {
		return &conversationv1.Message{Role: role, Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: "x"}}}}
	}
	turn := &conversationv1.Turn{Messages: []*conversationv1.Message{
		said(conversationv1.Role_ROLE_USER), said(conversationv1.Role_ROLE_ASSISTANT), said(conversationv1.Role_ROLE_USER)}}
	_, _, err := ollama.Generate().EncodeTurn(turn, wire.TurnOptions{Model: "m"})
	if f := fault.From(err); f == nil || f.Reason != meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED || f.Field() != "messages.1" {
		t.Errorf("got %v", err)
	}
}

func TestQuirkThinkBool(t *testing.T) {
	t.Parallel()
	turn := &conversationv1.Turn{Reasoning: &conversationv1.ReasoningOptions{Effort: "high"}}
	for quirk, want := range map[string]string{"": `"think":"high"`, "think_bool": `"think":true`} {
		got, _, err := ollama.Chat().EncodeTurn(turn, wire.TurnOptions{Quirks: []string{quirk}})
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
}

func TestToolResultsFindTheirCalls(t *testing.T) {
	t.Parallel()
	const calls = `{"role":"assistant","tool_calls":[{"function":{"name":"a"}},{"id":"given","function":{"name":"b"}},{"function":{"name":"a"}}]},`
	for _, tt := range []struct {
		name, results string
		want          []int // the call of each result, -1 for none
	}{
		{"order alone", `{"role":"tool","content":"1"},{"role":"tool","content":"2"},{"role":"tool","content":"3"}`, []int{0, 1, 2}},
		{"by name", `{"role":"tool","tool_name":"b"},{"role":"tool","tool_name":"a"},{"role":"tool","tool_name":"a"}`, []int{1, 0, 2}},
		{"the old member name", `{"role":"tool","name":"b"}`, []int{1}},
		{"by id", `{"role":"tool","tool_call_id":"given"},{"role":"tool","tool_name":"a"}`, []int{1, 0}},
		{"an id that the call does not have", `{"role":"tool","tool_call_id":"own","tool_name":"a"},{"role":"tool"}`, []int{0, 1}},
		{"an unknown tool", `{"role":"tool","tool_name":"z"}`, []int{-1}},
		{"an unknown id and name", `{"role":"tool","tool_name":"b","tool_call_id":"own"}`, []int{-1}},
	} {
		turn, err := ollama.Chat().DecodeTurn([]byte(`{"messages":[` + calls + tt.results + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, part := range turn.Messages[0].Parts {
			ids = append(ids, part.GetToolCall().GetId())
		}
		if ids[0] == ids[2] || ids[0] == "" || ids[1] != "given" {
			t.Errorf("%s: ids %q", tt.name, ids)
		}
		for i, want := range tt.want {
			result := turn.Messages[1+i].Parts[0].GetToolResult()
			switch {
			case want < 0:
				for _, id := range ids {
					if result.GetToolCallId() == id {
						t.Errorf("%s: result %d has %q", tt.name, i, id)
					}
				}
			case result.GetToolCallId() != ids[want] || result.GetToolName() != []string{"a", "b", "a"}[want]:
				t.Errorf("%s: result %d has %q %q; calls %q", tt.name, i, result.GetToolCallId(), result.GetToolName(), ids)
			}
		}
	}
}

func TestLoadRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		body         string
		load, unload bool
	}{
		{`{"model":"m"}`, true, false},
		{`{"model":"m","messages":[ ]}`, true, false},
		{`{"model":"m","messages":null,"keep_alive":-1}`, true, false},
		{`{"model":"m","prompt":"","suffix":"","system":"","options":{}}`, true, false},
		{`{"model":"m","keep_alive":0}`, false, true},
		{`{"model":"m","prompt":"","keep_alive":"0s"}`, false, true},
		{`{"model":"m","messages":[],"keep_alive":"0"}`, false, true},
		{`{"model":"m","messages":[],"keep_alive":"5m"}`, true, false},
		{`{"model":"m","messages":[{"role":"user","content":""}],"keep_alive":0}`, false, false},
		{`{"model":"m","prompt":"hi","keep_alive":0}`, false, false},
		{`{"model":"m","prompt":"","suffix":"x"}`, false, false},
		{`{"model":"m","images":["AAAA"]}`, false, false},
		{`{"model":`, false, false},
	} {
		load, unload := ollama.LoadRequest([]byte(tt.body))
		if load != tt.load || unload != tt.unload {
			t.Errorf("%s: %v, %v", tt.body, load, unload)
		}
		if !load && !unload || !strings.HasSuffix(tt.body, "}") {
			continue
		}
		for _, codec := range []wire.Codec{ollama.Chat(), ollama.Generate()} {
			if _, err := codec.ScanTurn([]byte(tt.body)); err != nil {
				t.Errorf("%s: ScanTurn: %v", tt.body, err)
			}
			if turn, err := codec.DecodeTurn([]byte(tt.body)); err != nil || len(turn.Messages) > 0 {
				t.Errorf("%s: DecodeTurn: %v", tt.body, err)
			}
		}
	}
}
