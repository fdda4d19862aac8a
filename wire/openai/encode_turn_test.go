package openai_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/openai"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// typed reads a turn's typed half.
func typed(t *testing.T, text string) *conversationv1.Turn {
	t.Helper()
	turn := &conversationv1.Turn{}
	if err := protojson.Unmarshal([]byte(text), turn); err != nil {
		t.Fatal(err)
	}
	return turn
}

const question = `"messages":[{"role":"ROLE_USER","parts":[{"text":"x"}]}]`

// TestEncodeTyped holds what becomes of turns of other dialects: what cannot be
// carried is named as their client spelled it.
func TestEncodeTyped(t *testing.T) {
	t.Parallel()
	const asked = `{"model":"b","messages":[{"role":"user","content":"x"}]`
	for _, test := range []struct {
		name, turn, want, dropped string
		quirks                    string
	}{
		{"nothing", `{` + question + `}`, asked + `,"stream":false}`, "", ""},
		{"a native turn's sampling", `{` + question + `,"sampling":{"topK":4,"minP":0.1,"repeatPenalty":1.2,"temperature":0}}`,
			asked + `,"temperature":0,"stream":false}`, "sampling.top_k sampling.min_p sampling.repeat_penalty", ""},
		{"Ollama's sampling", `{` + question + `,"sampling":{"topK":4,"repeatPenalty":1.2},"extraWire":"WIRE_OLLAMA_CHAT"}`,
			asked + `,"stream":false}`, "options.top_k options.repeat_penalty", ""},
		{"Anthropic's sampling", `{` + question + `,"sampling":{"topK":4},"extraWire":"WIRE_ANTHROPIC_MESSAGES"}`, asked + `,"stream":false}`, "top_k", ""},
		{"its own sampling", `{` + question + `,"sampling":{"topK":4},"extraWire":"WIRE_OPENAI_CHAT"}`, asked + `,"top_k":4,"stream":false}`, "", ""},
		{"extended sampling", `{` + question + `,"sampling":{"topK":4,"minP":0.1,"repeatPenalty":1.2}}`,
			asked + `,"top_k":4,"min_p":0.1,"repeat_penalty":1.2,"stream":false}`, "", "extended_sampling"},
		{"repetition penalty", `{` + question + `,"sampling":{"repeatPenalty":1.2}}`, asked + `,"repetition_penalty":1.2,"stream":false}`, "", "repetition_penalty"},
		{"another dialect's members", `{` + question + `,"extraJson":"{\"keep_alive\":5,\"options\":{\"num_ctx\":1}}","extraWire":"WIRE_OLLAMA_CHAT"}`,
			asked + `,"stream":false}`, "keep_alive options", ""},
		{"its own members", `{` + question + `,"extraJson":"{\"b\":1e400,\"a\":2,\"model\":\"evil\",\"stream\":true,\"messages\":[]}","extraWire":"WIRE_OPENAI_CHAT"}`,
			asked + `,"stream":false,"b":1e400,"a":2}`, "", ""},
		{"think", `{` + question + `,"reasoning":{"enabled":true},"extraWire":"WIRE_OLLAMA_CHAT"}`, asked + `,"stream":false}`, "think", ""},
		{"effort", `{` + question + `,"reasoning":{"enabled":true,"effort":"max"},"extraWire":"WIRE_OLLAMA_CHAT"}`, asked + `,"reasoning_effort":"high","stream":false}`, "", ""},
		{"a budget", `{` + question + `,"reasoning":{"enabled":true,"budgetTokens":"9"},"extraWire":"WIRE_ANTHROPIC_MESSAGES"}`,
			asked + `,"stream":false}`, "thinking thinking.budget_tokens", ""},
		{"fill in the middle", `{` + question + `,"suffix":"z","rawPrompt":true,"extraWire":"WIRE_OLLAMA_GENERATE"}`, asked + `,"stream":false}`, "suffix raw", ""},
		{"a schema without a name", `{` + question + `,"responseFormat":{"kind":"RESPONSE_FORMAT_KIND_JSON_SCHEMA","schemaJson":"{\"z\":1,\"a\":2}"}}`,
			asked + `,"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"z":1,"a":2}}},"stream":false}`, "", ""},
		{"text by name", `{` + question + `,"responseFormat":{"kind":"RESPONSE_FORMAT_KIND_TEXT"}}`, asked + `,"response_format":{"type":"text"},"stream":false}`, "", ""},
		{"tools of another dialect", `{` + question + `,"tools":[{"name":"f","extraJson":"{\"cache_control\":1,\"function\":{\"y\":2}}"},{"wireType":"web_search_20250305","extraJson":"{\"type\":\"web_search_20250305\"}"}],"toolChoice":{"mode":"TOOL_CHOICE_MODE_REQUIRED"},"parallelToolCalls":true,"extraWire":"WIRE_ANTHROPIC_MESSAGES"}`,
			asked + `,"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required","parallel_tool_calls":true,"stream":false}`, "tools[].function.y tools[].cache_control tools[].web_search_20250305", ""},
		{"a choice without tools", `{` + question + `,"toolChoice":{"mode":"TOOL_CHOICE_MODE_AUTO"},"parallelToolCalls":true}`, asked + `,"stream":false}`, "", ""},
		{"Anthropic's system blocks", `{"messages":[{"role":"ROLE_SYSTEM","parts":[{"text":"a","extraJson":"{\"cache_control\":{}}"},{"text":"b"}]},{"role":"ROLE_USER","parts":[{"text":"c"},{"text":"d"}]}],"extraWire":"WIRE_ANTHROPIC_MESSAGES"}`,
			`{"model":"b","messages":[{"role":"system","content":"a\nb"},{"role":"user","content":[{"type":"text","text":"c"},{"type":"text","text":"d"}]}],"stream":false}`, "messages[].content[].cache_control", ""},
		{"thoughts of another dialect", `{"messages":[{"role":"ROLE_ASSISTANT","parts":[{"reasoning":{"text":"t","signature":"s"}},{"text":"a"}]}],"extraWire":"WIRE_ANTHROPIC_MESSAGES"}`,
			`{"model":"b","messages":[{"role":"assistant","content":"a"}],"stream":false}`, "messages[].content[].thinking", ""},
		{"thoughts to go back", `{"messages":[{"role":"ROLE_ASSISTANT","parts":[{"reasoning":{"text":"t"}},{"text":"a"}]}]}`,
			`{"model":"b","messages":[{"role":"assistant","content":"a","reasoning_content":"t"}],"stream":false}`, "", "reasoning_history"},
		{"several results in one message", `{"messages":[{"role":"ROLE_ASSISTANT","parts":[{"toolCall":{"id":"1","name":"f"}},{"toolCall":{"id":"2","name":"g"}}]},{"role":"ROLE_TOOL","parts":[{"toolResult":{"toolCallId":"2","parts":[{"text":"b"}],"isError":true}},{"toolResult":{"toolCallId":"1"}}]}],"extraWire":"WIRE_ANTHROPIC_MESSAGES"}`,
			`{"model":"b","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":""}},{"id":"2","type":"function","function":{"name":"g","arguments":""}}]},{"role":"tool","tool_call_id":"2","content":"b"},{"role":"tool","tool_call_id":"1","content":""}],"stream":false}`,
			"messages[].content[].is_error", ""},
		{"pictures of tools", `{"messages":[{"role":"ROLE_TOOL","parts":[{"toolResult":{"toolCallId":"1","parts":[{"text":"see"},{"image":{"data":"AAAA","mediaType":"image/png"}}]}}]},{"role":"ROLE_TOOL","parts":[{"toolResult":{"toolCallId":"2","parts":[{"text":"ok"}]}}]},{"role":"ROLE_USER","parts":[{"text":"?"}]}]}`,
			`{"model":"b","messages":[{"role":"tool","tool_call_id":"1","content":"see"},{"role":"tool","tool_call_id":"2","content":"ok"},{"role":"user","content":[{"type":"text","text":"Result of tool call 1:"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},{"role":"user","content":"?"}],"stream":false}`, "", ""},
		{"parts nobody else knows", `{"messages":[{"role":"ROLE_USER","parts":[{"text":"x"},{"opaque":{"wireType":"search_result","json":"{}"}},{"file":{"url":"https://e/x.pdf"}},{"file":{"data":"AAAA","mediaType":"application/pdf"}}]}],"extraWire":"WIRE_ANTHROPIC_MESSAGES"}`,
			`{"model":"b","messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA"}}]}],"stream":false}`, "messages[].content[].search_result messages[].content[].source.url", ""},
		{"messages' own members", `{"messages":[{"role":"ROLE_USER","parts":[{"text":"x"}],"extraJson":"{\"w\":1}"}],"extraWire":"WIRE_OLLAMA_CHAT"}`, asked + `,"stream":false}`, "messages[].w", ""},
		{"the developer", `{"messages":[{"role":"ROLE_SYSTEM","wireRole":"developer","parts":[{"text":"x"}]}]}`, `{"model":"b","messages":[{"role":"developer","content":"x"}],"stream":false}`, "", ""},
		{"no developer", `{"messages":[{"role":"ROLE_SYSTEM","wireRole":"developer","parts":[{"text":"x"}]}]}`, `{"model":"b","messages":[{"role":"system","content":"x"}],"stream":false}`, "", "no_developer_role"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			turn := typed(t, test.turn)
			before := proto.CloneOf(turn)
			body, dropped, err := openai.Chat().EncodeTurn(turn, wire.TurnOptions{Model: "b", Quirks: strings.Fields(test.quirks)})
			if err != nil {
				t.Fatal(err)
			}
			if !json.Valid(body) {
				t.Error("not JSON")
			}
			if diff := cmp.Diff(test.want, string(body)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.dropped, strings.Join(dropped, " ")); diff != "" {
				t.Error(diff)
			}
			if !proto.Equal(before, turn) {
				t.Error("the turn was changed")
			}
		})
	}
}

// TestEncodeJoinsCalls holds that histories without ids get some that match.
func TestEncodeJoinsCalls(t *testing.T) {
	t.Parallel()
	turn := typed(t, `{"messages":[
		{"role":"ROLE_ASSISTANT","parts":[{"toolCall":{"name":"f","argumentsJson":"1"}},{"toolCall":{"name":"g"}},{"toolCall":{"name":"f","argumentsJson":"2"}}]},
		{"role":"ROLE_TOOL","parts":[{"toolResult":{"toolName":"g"}}]},
		{"role":"ROLE_TOOL","parts":[{"toolResult":{"toolName":"f"}}]},
		{"role":"ROLE_TOOL","parts":[{"toolResult":{}}]},
		{"role":"ROLE_TOOL","parts":[{"toolResult":{"toolName":"lost"}}]}]}`)
	before := proto.CloneOf(turn)
	body, _, err := openai.Chat().EncodeTurn(turn, wire.TurnOptions{Model: "b"})
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(before, turn) {
		t.Error("the turn was changed")
	}
	var out struct {
		Messages []struct {
			ToolCalls []struct {
				ID string `json:"id"`
			} `json:"tool_calls"`
			ToolCallID string `json:"tool_call_id"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatal(err)
	}
	calls := out.Messages[0].ToolCalls
	if out.Messages[1].ToolCallID != calls[1].ID || out.Messages[2].ToolCallID != calls[0].ID || out.Messages[3].ToolCallID != calls[2].ID {
		t.Errorf("calls and results do not match: %s", body)
	}
	if calls[0].ID == calls[2].ID || !strings.HasPrefix(out.Messages[4].ToolCallID, "call_") {
		t.Errorf("ids are not unique: %s", body)
	}
}

// TestEncodeRefuses holds that what would make a broken body is refused.
func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for text, field := range map[string]string{
		`{}`: "turn.messages",
		`{"messages":[{"role":"ROLE_USER","parts":[{"toolResult":{}}]}]}`:                           "turn.messages[0].parts",
		`{"messages":[{"role":"ROLE_TOOL","parts":[{"text":"x"}]}]}`:                                "turn.messages[0].parts",
		`{"messages":[{"parts":[{"text":"x"}]}]}`:                                                   "turn.messages[0].role",
		`{` + question + `,"tools":[{"name":"f","parametersJson":"{"}]}`:                            "turn.tools[0].parameters_json",
		`{` + question + `,"tools":[{"name":"f","extraJson":"{"}]}`:                                 "turn.tools[].extra_json",
		`{` + question + `,"responseFormat":{"kind":3,"schemaJson":"x"}}`:                           "turn.response_format.schema_json",
		`{` + question + `,"extraJson":"}","extraWire":1}`:                                          "turn.extra_json",
		`{"messages":[{"role":2,"parts":[{"opaque":{"wireType":"w","json":"x"}}]}],"extraWire":1}`:  "turn.messages[].parts[].opaque.json",
		`{"messages":[{"role":2,"parts":[{"text":"x"}]}],"tools":[{"wireType":"w"}],"extraWire":1}`: "turn.tools[0].extra_json",
	} {
		_, _, err := openai.Chat().EncodeTurn(typed(t, text), wire.TurnOptions{Model: "b"})
		if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_INVALID_FIELD) || fault.From(err).Field() != field {
			t.Errorf("%s: have %v, want a refusal of %s", text, err, field)
		}
	}
}
