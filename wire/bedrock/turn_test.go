package bedrock_test

import (
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/bedrock"
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
		{`{"messages":[],"messages":[]}`, "messages", twice, true},
		{`{"inferenceConfig":7}`, "inferenceConfig", bad, true},
		{`{"inferenceConfig":{"maxTokens":0}}`, "inferenceConfig.maxTokens", bad, true},
		{`{"inferenceConfig":{"maxTokens":1,"maxTokens":1}}`, "maxTokens", twice, true},
		{`{"toolConfig":[]}`, "toolConfig", bad, true},
		{`{"messages":{}}`, "messages", bad, false},
		{`{"messages":[{"role":"system","content":[]}]}`, "messages.0.role", bad, false},
		{`{"messages":[{"role":"user","content":"hi"}]}`, "messages.0.content", bad, false},
		{`{"messages":[{"role":"user","content":[{}]}]}`, "messages.0.content.0", bad, false},
		{`{"messages":[{"role":"user","content":[{"text":"a","image":{}}]}]}`, "messages.0.content.0", bad, false},
		{`{"messages":[{"role":"user","content":[{"text":1}]}]}`, "messages.0.content.0.text", bad, false},
		{`{"messages":[{"role":"user","content":[{"image":{"format":"png","source":{"bytes":"?"}}}]}]}`, "messages.0.content.0.image.source.bytes", bad, false},
		{`{"messages":[{"role":"assistant","content":[{"toolUse":{"name":"f"}}]}]}`, "messages.0.content.0.toolUse.toolUseId", bad, false},
		{`{"messages":[{"role":"assistant","content":[{"toolUse":{"toolUseId":"a"}}]}]}`, "messages.0.content.0.toolUse.name", bad, false},
		{`{"messages":[{"role":"user","content":[{"toolResult":{"content":[]}}]}]}`, "messages.0.content.0.toolResult.toolUseId", bad, false},
		{`{"messages":[{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"text":1}]}}]}]}`, "messages.0.content.0.toolResult.content.0.text", bad, false},
		{`{"system":"x"}`, "system", bad, false},
		{`{"inferenceConfig":{"temperature":1.5}}`, "inferenceConfig.temperature", bad, false},
		{`{"inferenceConfig":{"stopSequences":"x"}}`, "inferenceConfig.stopSequences", bad, false},
		{`{"toolConfig":{"tools":[{"toolSpec":{}}]}}`, "toolConfig.tools.0.toolSpec.name", bad, false},
		{`{"toolConfig":{"toolChoice":{"none":{}}}}`, "toolConfig.toolChoice", bad, false},
		{`{"toolConfig":{"toolChoice":{"tool":{}}}}`, "toolConfig.toolChoice.tool.name", bad, false},
		{`{"outputConfig":{"textFormat":{"type":1}}}`, "outputConfig.textFormat.type", bad, false},
	} {
		_, scanned := bedrock.Converse().ScanTurn([]byte(tt.body))
		_, decoded := bedrock.Converse().DecodeTurn([]byte(tt.body))
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
		{`{ "messages" : [] }`, nil, `{ "messages" : [] }`},
		{`{"messages":[]}`, proto.Int64(5), `{"messages":[],"inferenceConfig":{"maxTokens":5}}`},
		{`{"inferenceConfig": {"topP":1, "maxTokens" : 9} }`, proto.Int64(5), `{"inferenceConfig": {"topP":1, "maxTokens" : 5} }`},
		{`{"inferenceConfig":null}`, proto.Int64(5), `{"inferenceConfig":{"maxTokens":5}}`},
		{`{"inferenceConfig":{"maxTokens":5}}`, proto.Int64(5), `{"inferenceConfig":{"maxTokens":5}}`},
	} {
		turn := &conversationv1.Turn{MaxOutputTokens: tt.limit, Raw: &conversationv1.RawTurn{Wire: conversationv1.Wire_WIRE_BEDROCK_CONVERSE, Body: []byte(tt.body)}}
		got, dropped, err := bedrock.Converse().EncodeTurn(turn, wire.TurnOptions{Model: "served", Stream: true})
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
	got, dropped, err := bedrock.Converse().EncodeTurn(turn, wire.TurnOptions{Model: "m", Quirks: strings.Fields(quirks)})
	if err != nil {
		t.Fatal(err)
	}
	return string(got), strings.Join(dropped, " ")
}

func TestReasoning(t *testing.T) {
	t.Parallel()
	turn := func(r *conversationv1.ReasoningOptions, limit int64) *conversationv1.Turn {
		out := &conversationv1.Turn{Reasoning: r, Sampling: &conversationv1.Sampling{Temperature: proto.Float64(0.5), TopK: proto.Int32(9)}}
		if limit > 0 {
			out.MaxOutputTokens = &limit
		}
		return out
	}
	low := &conversationv1.ReasoningOptions{Effort: "low"}
	for _, tt := range []struct {
		turn           *conversationv1.Turn
		quirks         string
		config, fields string
		dropped        string
	}{
		{turn(low, 0), "claude", `{"maxTokens":6144}`, `{"thinking":{"type":"enabled","budget_tokens":2048}}`, "sampling.temperature sampling.top_k"},
		{turn(low, 2000), "claude", `{"maxTokens":2000}`, `{"thinking":{"type":"enabled","budget_tokens":1500}}`, "sampling.temperature sampling.top_k"},
		{turn(low, 500), "claude", `{"maxTokens":500,"temperature":0.5}`, `{"top_k":9}`, "reasoning.effort"},
		{turn(low, 0), "claude adaptive_thinking", ``, `{"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}`, "sampling.temperature sampling.top_k"},
		{turn(&conversationv1.ReasoningOptions{Enabled: proto.Bool(false)}, 0), "claude", `{"temperature":0.5}`, `{"thinking":{"type":"disabled"},"top_k":9}`, ""},
		{turn(&conversationv1.ReasoningOptions{BudgetTokens: proto.Int64(3000)}, 0), "claude", `{"maxTokens":7096}`, `{"thinking":{"type":"enabled","budget_tokens":3000}}`, "sampling.temperature sampling.top_k"},
		{turn(low, 0), "nova nova_reasoning", `{"temperature":0.5}`, `{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"low"},"inferenceConfig":{"topK":9}}`, ""},
		{turn(low, 0), "reasoning_effort", `{"temperature":0.5}`, `{"reasoning_effort":"low"}`, "sampling.top_k"},
		{turn(low, 0), "", `{"temperature":0.5}`, "", "reasoning.effort sampling.top_k"},
		{turn(nil, 0), "claude", `{"temperature":0.5}`, `{"top_k":9}`, ""},
	} {
		got, dropped := encode(t, tt.turn, tt.quirks)
		want := `{"messages":[]`
		if tt.config != "" {
			want += `,"inferenceConfig":` + tt.config
		}
		if tt.fields != "" {
			want += `,"additionalModelRequestFields":` + tt.fields
		}
		if got != want+"}" || dropped != tt.dropped {
			t.Errorf("%v with %q: %s, dropped %q", tt.turn.Reasoning, tt.quirks, got, dropped)
		}
	}
}

func text(s, extra string) *conversationv1.ContentPart {
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Text{Text: s}, ExtraJson: extra}
}

func user(parts ...*conversationv1.ContentPart) *conversationv1.Message {
	return &conversationv1.Message{Role: conversationv1.Role_ROLE_USER, Parts: parts}
}

// A mark of what to cache becomes a cache point where the model has one.
func TestCachePoints(t *testing.T) {
	t.Parallel()
	turn := &conversationv1.Turn{
		ExtraWire: conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES,
		Messages:  []*conversationv1.Message{user(text("long", `{"cache_control":{"type":"ephemeral","ttl":"1h"}}`), text("short", ""))},
		Tools:     []*conversationv1.Tool{{Name: "f", ExtraJson: `{"cache_control":{"type":"ephemeral"}}`}},
	}
	const head, tool = `{"messages":[{"role":"user","content":[{"text":"long"}`, `{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}`
	got, dropped := encode(t, turn, "claude")
	if want := head + `,{"cachePoint":{"type":"default","ttl":"1h"}},{"text":"short"}]}],"toolConfig":{"tools":[` + tool + `,{"cachePoint":{"type":"default"}}]}}`; got != want || dropped != "" {
		t.Errorf("%s, dropped %q", got, dropped)
	}
	got, dropped = encode(t, turn, "")
	if want := head + `,{"text":"short"}]}],"toolConfig":{"tools":[` + tool + `]}}`; got != want || dropped != "messages[].content[].cache_control tools[].cache_control" {
		t.Errorf("%s, dropped %q", got, dropped)
	}
}

// The API wants the tools of a history declared, and cannot forbid them.
func TestToolsOfHistory(t *testing.T) {
	t.Parallel()
	call := func(id, name string) *conversationv1.ContentPart {
		return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_ToolCall{ToolCall: &conversationv1.ToolCall{Id: id, Name: name, ArgumentsJson: "no"}}}
	}
	long := strings.Repeat("x", 70)
	turn := &conversationv1.Turn{Messages: []*conversationv1.Message{
		{Role: conversationv1.Role_ROLE_ASSISTANT, Parts: []*conversationv1.ContentPart{call("a.b", "f"), call(long, "f"), call("", "g")}},
		{Role: conversationv1.Role_ROLE_TOOL, Parts: []*conversationv1.ContentPart{
			{Kind: &conversationv1.ContentPart_ToolResult{ToolResult: &conversationv1.ToolResult{ToolCallId: long, Parts: []*conversationv1.ContentPart{text("1", "")}}}},
			{Kind: &conversationv1.ContentPart_ToolResult{ToolResult: &conversationv1.ToolResult{ToolName: "g", IsError: true}}},
		}},
	}}
	got, dropped := encode(t, turn, "")
	for _, want := range []string{`"toolUseId":"a_b"`, `"toolUseId":"tooluse_2"`, `"input":{"raw_arguments":"no"}`, `"content":[],"status":"error"`,
		`"toolConfig":{"tools":[{"toolSpec":{"name":"f",`, `{"toolSpec":{"name":"g",`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	if strings.Contains(got, long) || strings.Count(got, `"tooluse_2"`) != 2 || dropped != "messages[].parts[].tool_call.arguments_json" {
		t.Errorf("%s, dropped %q", got, dropped)
	}
	turn.ToolChoice = &conversationv1.ToolChoice{Mode: conversationv1.ToolChoiceMode_TOOL_CHOICE_MODE_NONE}
	if _, dropped := encode(t, turn, ""); dropped != "messages[].parts[].tool_call.arguments_json tool_choice" {
		t.Errorf("dropped %q", dropped)
	}
	turn.Messages, turn.Tools = nil, []*conversationv1.Tool{{Name: "f"}}
	if got, dropped := encode(t, turn, ""); got != `{"messages":[]}` || dropped != "" {
		t.Errorf("%s, dropped %q", got, dropped)
	}
}

func TestMedia(t *testing.T) {
	t.Parallel()
	file := func(f *conversationv1.File) *conversationv1.ContentPart {
		return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_File{File: f}}
	}
	image := func(i *conversationv1.Image) *conversationv1.ContentPart {
		return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Image{Image: i}}
	}
	for _, tt := range []struct {
		part          *conversationv1.ContentPart
		want, dropped string
	}{
		{image(&conversationv1.Image{Data: []byte{1}, MediaType: "image/jpeg"}), `{"image":{"format":"jpeg","source":{"bytes":"AQ=="}}}`, ""},
		{image(&conversationv1.Image{Url: "s3://b/x.JPG"}), `{"image":{"format":"jpeg","source":{"s3Location":{"uri":"s3://b/x.JPG"}}}}`, ""},
		{image(&conversationv1.Image{Url: "https://x/y.png", Detail: "low"}), "", "messages[].parts[].image.detail messages[].parts[].image"},
		{image(&conversationv1.Image{Data: []byte{1}, MediaType: "image/tiff"}), "", "messages[].parts[].image"},
		{file(&conversationv1.File{Data: []byte{1}, MediaType: "application/pdf", Filename: "A_b  c.pdf"}), `{"document":{"format":"pdf","name":"A-b c","source":{"bytes":"AQ=="}}}`, ""},
		{file(&conversationv1.File{Data: []byte{1}, Filename: "x.csv"}), `{"document":{"format":"csv","name":"x","source":{"bytes":"AQ=="}}}`, ""},
		{file(&conversationv1.File{Url: "s3://b/c.docx"}), `{"document":{"format":"docx","name":"document","source":{"s3Location":{"uri":"s3://b/c.docx"}}}}`, ""},
		{file(&conversationv1.File{FileId: "file-1"}), "", "messages[].parts[].file"},
	} {
		got, dropped := encode(t, &conversationv1.Turn{Messages: []*conversationv1.Message{user(tt.part)}}, "")
		want := `{"messages":[]}`
		if tt.want != "" {
			want = `{"messages":[{"role":"user","content":[` + tt.want + `]}]}`
		}
		if got != want || dropped != tt.dropped {
			t.Errorf("%s, dropped %q; want %s", got, dropped, want)
		}
	}
	twice := user(file(&conversationv1.File{Data: []byte{1}, Filename: "a.md"}), file(&conversationv1.File{Data: []byte{2}, Filename: "a.md"}))
	if got, _ := encode(t, &conversationv1.Turn{Messages: []*conversationv1.Message{twice}}, ""); !strings.Contains(got, `"name":"a"`) || !strings.Contains(got, `"name":"a-2"`) {
		t.Error(got)
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
			Temperature: proto.Float64(1.5), TopP: proto.Float64(0.5), MinP: proto.Float64(0.1), RepeatPenalty: proto.Float64(1.1), Seed: proto.Int64(1),
			LogitBias: map[string]float64{"1": 1}, Stop: []string{" ", "x"}, PresencePenalty: proto.Float64(1), FrequencyPenalty: proto.Float64(1),
			Logprobs: true, TopLogprobs: proto.Int32(2), ChoiceCount: proto.Int32(2),
		},
		ResponseFormat: &conversationv1.ResponseFormat{Kind: conversationv1.ResponseFormatKind_RESPONSE_FORMAT_KIND_JSON_SCHEMA, SchemaJson: `{}`},
		Messages: []*conversationv1.Message{{Role: conversationv1.Role_ROLE_USER, Name: "bob", Parts: []*conversationv1.ContentPart{
			{Kind: &conversationv1.ContentPart_Audio{Audio: &conversationv1.Audio{Id: "a"}}},
			{Kind: &conversationv1.ContentPart_Opaque{Opaque: &conversationv1.OpaquePart{WireType: "odd", Json: `{}`}}},
			{Kind: &conversationv1.ContentPart_Reasoning{Reasoning: &conversationv1.Reasoning{Text: "hm"}}},
		}}},
	}
	got, dropped := encode(t, turn, "temperature_or_top_p")
	const want = `{"messages":[],"inferenceConfig":{"temperature":1,"stopSequences":["x"]},"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}`
	const names = "messages[].name messages[].content[].input_audio messages[].content[].odd messages[].reasoning_content temperature top_p stop " +
		"tools[].function.parameters tools[].function.strict tools[].web_search response_format " +
		"parallel_tool_calls n seed min_p presence_penalty frequency_penalty repeat_penalty logprobs top_logprobs logit_bias suffix raw_prompt user store"
	if got != want || dropped != names {
		t.Errorf("%s\ndropped %s", got, dropped)
	}
	got, _ = encode(t, turn, "structured_output")
	if !strings.Contains(got, `"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{}"}}}}`) || !strings.Contains(got, `"strict":true`) {
		t.Error(got)
	}
}
