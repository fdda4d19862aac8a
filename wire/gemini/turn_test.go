package gemini_test

import (
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/gemini"
	"google.golang.org/protobuf/proto"
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
		{`{"model":7}`, "model", bad, true},
		{`{"contents":[],"contents":[]}`, "contents", twice, true},
		{`{"generationConfig":{},"generation_config":{}}`, "generationConfig", twice, true},
		{`{"generationConfig":[]}`, "generationConfig", bad, true},
		{`{"generationConfig":{"maxOutputTokens":0}}`, "generationConfig.maxOutputTokens", bad, true},
		{`{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":1}}`, "generationConfig.maxOutputTokens", twice, true},
		{`{"generationConfig":{"maxOutputTokens":"9"}}`, "generationConfig.maxOutputTokens", bad, true},
		{`{"contents":{}}`, "contents", bad, false},
		{`{"contents":[{"role":"assistant","parts":[]}]}`, "contents.0.role", bad, false},
		{`{"contents":[{"parts":["x"]}]}`, "contents.0.parts.0", bad, false},
		{`{"contents":[{"parts":[{"text":1}]}]}`, "contents.0.parts.0.text", bad, false},
		{`{"contents":[{"parts":[{"text":"a","inlineData":{}}]}]}`, "contents.0.parts.0.inlineData", bad, false},
		{`{"contents":[{"parts":[{"inlineData":{"data":"?"}}]}]}`, "contents.0.parts.0.inlineData.data", bad, false},
		{`{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png"}}]}]}`, "contents.0.parts.0.inlineData.data", bad, false},
		{`{"contents":[{"parts":[{"fileData":{}}]}]}`, "contents.0.parts.0.fileData.fileUri", bad, false},
		{`{"contents":[{"role":"model","parts":[{"functionCall":{}}]}]}`, "contents.0.parts.0.functionCall.name", bad, false},
		{`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":[]}}]}]}`, "contents.0.parts.0.functionCall.args", bad, false},
		{`{"contents":[{"parts":[{"functionResponse":{"response":{}}}]}]}`, "contents.0.parts.0.functionResponse.name", bad, false},
		{`{"contents":[{"parts":[{"functionResponse":{"name":"f","response":"x"}}]}]}`, "contents.0.parts.0.functionResponse.response", bad, false},
		{`{"systemInstruction":"x"}`, "systemInstruction", bad, false},
		{`{"tools":[{"functionDeclarations":[{}]}]}`, "tools.0.functionDeclarations.0.name", bad, false},
		{`{"toolConfig":{"functionCallingConfig":{"mode":1}}}`, "toolConfig.functionCallingConfig.mode", bad, false},
		{`{"generationConfig":{"temperature":2.5}}`, "generationConfig.temperature", bad, false},
		{`{"generationConfig":{"topK":1.5}}`, "generationConfig.topK", bad, false},
		{`{"generationConfig":{"candidateCount":0}}`, "generationConfig.candidateCount", bad, false},
		{`{"generationConfig":{"seed":4294967296}}`, "generationConfig.seed", bad, false},
		{`{"generationConfig":{"stopSequences":"x"}}`, "generationConfig.stopSequences", bad, false},
		{`{"generationConfig":{"thinkingConfig":{"thinkingBudget":"x"}}}`, "generationConfig.thinkingConfig.thinkingBudget", bad, false},
	} {
		_, scanned := gemini.Generate().ScanTurn([]byte(tt.body))
		_, decoded := gemini.Generate().DecodeTurn([]byte(tt.body))
		if (scanned != nil) != tt.scan {
			t.Errorf("%s: ScanTurn: %v", tt.body, scanned)
		}
		f, ok := decoded.(*fault.Fault)
		if !ok || f.Reason != tt.reason || f.Metadata["field"] != tt.field {
			t.Errorf("%s: DecodeTurn: %v, want %s", tt.body, decoded, tt.field)
		}
	}
}

func TestRawTurnIsSpliced(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		body  string
		limit *int64
		want  string
	}{
		{`{ "contents" : [] }`, nil, `{ "contents" : [] }`},
		{`{ "contents" : [], "model":"models/a" }`, nil, `{ "contents" : [], "model":"models/served" }`},
		{`{"contents":[]}`, proto.Int64(5), `{"contents":[],"generationConfig":{"maxOutputTokens":5}}`},
		{`{"generation_config": {"x":1, "max_output_tokens" : 9} }`, proto.Int64(5), `{"generation_config": {"x":1, "max_output_tokens" : 5} }`},
		{`{"generationConfig": {"x":1}}`, proto.Int64(5), `{"generationConfig": {"x":1,"maxOutputTokens":5}}`},
		{`{"generationConfig":null}`, proto.Int64(5), `{"generationConfig":{"maxOutputTokens":5}}`},
		{`{"generationConfig":{"maxOutputTokens":5}}`, proto.Int64(5), `{"generationConfig":{"maxOutputTokens":5}}`},
	} {
		turn := &conversationv1.Turn{MaxOutputTokens: tt.limit, Raw: &conversationv1.RawTurn{Wire: conversationv1.Wire_WIRE_GEMINI_GENERATE, Body: []byte(tt.body)}}
		got, dropped, err := gemini.Generate().EncodeTurn(turn, wire.TurnOptions{Model: "served", Stream: true})
		if err != nil || len(dropped) > 0 || string(got) != tt.want {
			t.Errorf("%s, %v, %v; want %s", got, dropped, err, tt.want)
		}
		if string(turn.Raw.Body) != tt.body {
			t.Error("the client's body was changed")
		}
	}
}

func encode(t *testing.T, turn *conversationv1.Turn, quirks string) (string, string) {
	t.Helper()
	got, dropped, err := gemini.Generate().EncodeTurn(turn, wire.TurnOptions{Model: "m", Quirks: strings.Fields(quirks)})
	if err != nil {
		t.Fatal(err)
	}
	return string(got), strings.Join(dropped, " ")
}

func TestThinking(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		reasoning *conversationv1.ReasoningOptions
		quirks    string
		want      string
		dropped   string
	}{
		{&conversationv1.ReasoningOptions{Effort: "low"}, "", `{"thinkingBudget":1024,"includeThoughts":true}`, ""},
		{&conversationv1.ReasoningOptions{Effort: "high"}, "thinking_level", `{"thinkingLevel":"high","includeThoughts":true}`, ""},
		{&conversationv1.ReasoningOptions{Effort: "minimal"}, "thinking_level", `{"thinkingLevel":"low","includeThoughts":true}`, ""},
		{&conversationv1.ReasoningOptions{BudgetTokens: proto.Int64(9000)}, "thinking_level", `{"thinkingLevel":"high","includeThoughts":true}`, "reasoning.budget_tokens"},
		{&conversationv1.ReasoningOptions{BudgetTokens: proto.Int64(77)}, "", `{"thinkingBudget":77,"includeThoughts":true}`, ""},
		{&conversationv1.ReasoningOptions{Enabled: proto.Bool(true)}, "", `{"includeThoughts":true}`, ""},
		{&conversationv1.ReasoningOptions{Enabled: proto.Bool(false)}, "", `{"thinkingBudget":0}`, ""},
		{&conversationv1.ReasoningOptions{Effort: "none"}, "thinking_always", `{"thinkingBudget":128}`, "reasoning.effort"},
		{&conversationv1.ReasoningOptions{Effort: "none"}, "thinking_level", `{"thinkingLevel":"low"}`, "reasoning.effort"},
		{&conversationv1.ReasoningOptions{Effort: "odd"}, "", `{"thinkingBudget":8192,"includeThoughts":true}`, "reasoning.effort"},
		{&conversationv1.ReasoningOptions{Effort: "low"}, "no_thinking", "", "reasoning.effort"},
		{&conversationv1.ReasoningOptions{Effort: "none"}, "no_thinking", "", ""},
		{&conversationv1.ReasoningOptions{}, "", "", ""},
	} {
		got, dropped := encode(t, &conversationv1.Turn{Reasoning: tt.reasoning}, tt.quirks)
		want := `{"contents":[]}`
		if tt.want != "" {
			want = `{"contents":[],"generationConfig":{"thinkingConfig":` + tt.want + `}}`
		}
		if got != want || dropped != tt.dropped {
			t.Errorf("%v with %q: %s, dropped %q", tt.reasoning, tt.quirks, got, dropped)
		}
	}
}

func text(s string) *conversationv1.ContentPart {
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Text{Text: s}}
}

func call(id, name string) *conversationv1.ContentPart {
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_ToolCall{ToolCall: &conversationv1.ToolCall{Id: id, Name: name, ArgumentsJson: `{}`}}}
}

func result(id, name string, parts ...*conversationv1.ContentPart) *conversationv1.Message {
	return &conversationv1.Message{Role: conversationv1.Role_ROLE_TOOL, Parts: []*conversationv1.ContentPart{{
		Kind: &conversationv1.ContentPart_ToolResult{ToolResult: &conversationv1.ToolResult{ToolCallId: id, ToolName: name, Parts: parts}},
	}}}
}

// Results come in one content, in the order of their calls, whatever the
// client's order; pictures come behind them, or inside where the model takes it.
func TestResultsFollowTheirCalls(t *testing.T) {
	t.Parallel()
	picture := &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Image{Image: &conversationv1.Image{Data: []byte{1}, MediaType: "image/png"}}}
	turn := &conversationv1.Turn{Messages: []*conversationv1.Message{
		{Role: conversationv1.Role_ROLE_ASSISTANT, Parts: []*conversationv1.ContentPart{call("a", "f"), call("b", "g")}},
		result("b", "", text("two"), picture), result("a", "", text(`{"n":1}`)),
		{Role: conversationv1.Role_ROLE_USER, Parts: []*conversationv1.ContentPart{text("Go on")}},
	}}
	const calls = `{"contents":[{"role":"model","parts":[{"functionCall":{"id":"a","name":"f","args":{}}},{"functionCall":{"id":"b","name":"g","args":{}}}]},` +
		`{"role":"user","parts":[{"functionResponse":{"id":"a","name":"f","response":{"n":1}}},{"functionResponse":{"id":"b","name":"g","response":{"output":"two"}`
	const image = `{"inlineData":{"mimeType":"image/png","data":"AQ=="}}`
	for quirk, want := range map[string]string{
		"":                   calls + `}}]},{"role":"user","parts":[{"text":"Result of tool call b:"},` + image + `,{"text":"Go on"}]}]}`,
		"multimodal_results": calls + `,"parts":[` + image + `]}}]},{"role":"user","parts":[{"text":"Go on"}]}]}`,
	} {
		if got, dropped := encode(t, turn, quirk); got != want || dropped != "" {
			t.Errorf("%s: %s, dropped %q", quirk, got, dropped)
		}
	}
}

// A signature goes back to the part that it came with; where a client lost it,
// the quirk excuses the first call.
func TestSignaturesGoBack(t *testing.T) {
	t.Parallel()
	signed := &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Reasoning{Reasoning: &conversationv1.Reasoning{Text: "Hm", Signature: "gptmesh.gemini.c2ln"}}}
	unsigned := &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Reasoning{Reasoning: &conversationv1.Reasoning{Text: "Hm"}}}
	for _, tt := range []struct {
		parts         []*conversationv1.ContentPart
		quirk         string
		want, dropped string
	}{
		{[]*conversationv1.ContentPart{signed, call("a", "f"), call("b", "f")}, "signed_calls",
			`{"text":"Hm","thought":true},{"functionCall":{"id":"a","name":"f","args":{}},"thoughtSignature":"c2ln"},{"functionCall":{"id":"b","name":"f","args":{}}}`, ""},
		{[]*conversationv1.ContentPart{unsigned, call("a", "f"), call("b", "f")}, "signed_calls",
			`{"functionCall":{"id":"a","name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"id":"b","name":"f","args":{}}}`, "messages[].parts[].reasoning"},
		{[]*conversationv1.ContentPart{call("a", "f")}, "", `{"functionCall":{"id":"a","name":"f","args":{}}}`, ""},
		{[]*conversationv1.ContentPart{text("x"), signed}, "", `{"text":"x"},{"text":"Hm","thought":true},{"text":"","thoughtSignature":"c2ln"}`, ""},
	} {
		turn := &conversationv1.Turn{Messages: []*conversationv1.Message{{Role: conversationv1.Role_ROLE_ASSISTANT, Parts: tt.parts}}}
		got, dropped := encode(t, turn, tt.quirk)
		if want := `{"contents":[{"role":"model","parts":[` + tt.want + `]}]}`; got != want || dropped != tt.dropped {
			t.Errorf("%s, dropped %q; want %s", got, dropped, want)
		}
	}
}

// What the dialect cannot carry is named in the client's words.
func TestDroppedMembersAreNamed(t *testing.T) {
	t.Parallel()
	turn := &conversationv1.Turn{
		User: "u", ParallelToolCalls: proto.Bool(false), Suffix: proto.String("x"), RawPrompt: true, ExtraJson: `{"store":true}`,
		ExtraWire: conversationv1.Wire_WIRE_OPENAI_CHAT,
		Tools:     []*conversationv1.Tool{{Name: "f", Strict: proto.Bool(true), ParametersJson: "no"}, {WireType: "web_search", ExtraJson: `{}`}},
		Sampling: &conversationv1.Sampling{
			MinP: proto.Float64(0.1), RepeatPenalty: proto.Float64(1.1), Seed: proto.Int64(1 << 40), LogitBias: map[string]float64{"1": 1},
			Stop: []string{"1", "2", "3", "4", "5", "6"}, PresencePenalty: proto.Float64(1), FrequencyPenalty: proto.Float64(1), Logprobs: true,
		},
		Messages: []*conversationv1.Message{{Role: conversationv1.Role_ROLE_USER, Name: "bob", Parts: []*conversationv1.ContentPart{
			{Kind: &conversationv1.ContentPart_File{File: &conversationv1.File{FileId: "file-1"}}},
			{Kind: &conversationv1.ContentPart_Audio{Audio: &conversationv1.Audio{Id: "a"}}},
			{Kind: &conversationv1.ContentPart_Opaque{Opaque: &conversationv1.OpaquePart{WireType: "odd", Json: `{}`}}},
		}}},
	}
	got, dropped := encode(t, turn, "no_penalties no_logprobs")
	const want = `{"contents":[],"tools":[{"functionDeclarations":[{"name":"f"}]}],"generationConfig":{"stopSequences":["1","2","3","4","5"]}}`
	const names = "messages[].name messages[].content[].file messages[].content[].input_audio messages[].content[].odd " +
		"tools[].function.parameters tools[].function.strict tools[].web_search stop seed presence_penalty frequency_penalty logprobs " +
		"parallel_tool_calls min_p repeat_penalty logit_bias suffix raw_prompt user store"
	if got != want || dropped != names {
		t.Errorf("%s\ndropped %s", got, dropped)
	}
	turn.ExtraWire = conversationv1.Wire_WIRE_OLLAMA_CHAT
	if _, dropped := encode(t, turn, ""); !strings.Contains(dropped, "options.min_p") {
		t.Errorf("dropped %s", dropped)
	}
}
