package anthropic_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/wire"
	wireanthropic "github.com/gptmesh/gptmesh/wire/anthropic"
	wireopenai "github.com/gptmesh/gptmesh/wire/openai"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// overOpenAI is a request room whose only provider speaks OpenAI's dialect:
// every turn and every answer goes through the codecs of both. answer is given
// the body that the provider gets.
func overOpenAI(answer func(body []byte) string) script {
	return func(_ context.Context, request *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
		turn, err := wireanthropic.Messages().DecodeTurn(request.GetTurn().GetRaw().GetBody())
		if err != nil {
			return err
		}
		provider := wireopenai.Chat()
		body, dropped, err := provider.EncodeTurn(turn, wire.TurnOptions{Model: "gpt-4.1-2025", Stream: turn.GetStream(), WantUsage: true})
		if err != nil {
			return err
		}
		if err := sink(&requestv1.SubmitResponse{Request: &requestv1.Request{Id: "req_1", ResponseId: "resp_1"}}); err != nil {
			return err
		}
		var grammar wire.Grammar
		push := func(events []*conversationv1.Event) error {
			for _, event := range events {
				if started := event.GetStarted(); started != nil {
					started.ResponseId, started.Provider, started.DroppedFields = "resp_1", "scripted", dropped
					started.CreateTime = &timestamppb.Timestamp{Seconds: 1700000000}
				}
				if err := grammar.Accept(event); err != nil {
					return err
				}
			}
			if len(events) == 0 {
				return nil
			}
			return sink(&requestv1.SubmitResponse{Chunk: gatewaytest.Chunk(events...)})
		}
		if !turn.GetStream() {
			events, err := provider.DecodeAnswer([]byte(answer(body)))
			if err != nil {
				return err
			}
			return push(events)
		}
		decoder := provider.NewStreamDecoder()
		for rest := []byte(answer(body)); len(rest) > 0; {
			var event wire.ServerEvent
			event, rest = wire.NextServerEvent(rest)
			events, err := decoder.Decode(nil, event.Raw)
			if err != nil {
				return err
			}
			if err := push(events); err != nil {
				return err
			}
		}
		events, err := decoder.End(nil)
		if err != nil {
			return err
		}
		return push(events)
	}
}

// chunks are OpenAI's stream of an answer: each delta in a chunk of its own.
func chunks(finish string, deltas ...string) string {
	var b strings.Builder
	chunk := func(choices, usage string) {
		fmt.Fprintf(&b, `data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4.1-2025","choices":[%s],"usage":%s}`+"\n\n", choices, usage)
	}
	for i, delta := range deltas {
		if i == 0 {
			delta = `{"role":"assistant",` + strings.TrimPrefix(delta, "{")
		}
		chunk(`{"index":0,"delta":`+delta+`,"finish_reason":null}`, "null")
	}
	chunk(`{"index":0,"delta":{},"finish_reason":"`+finish+`"}`, "null")
	chunk("", `{"prompt_tokens":18000,"completion_tokens":96,"total_tokens":18096,"prompt_tokens_details":{"cached_tokens":17000},"completion_tokens_details":{"reasoning_tokens":40}}`)
	b.WriteString("data: [DONE]\n\n")
	return b.String()
}

const (
	codeSystem = `[{"type":"text","text":"You are Claude Code, Anthropic's official CLI for Claude.","cache_control":{"type":"ephemeral"}},` +
		`{"type":"text","text":"# Tone\nBe exact.\n<env>\nWorking directory: /repo\n</env>","cache_control":{"type":"ephemeral","ttl":"1h"}}]`
	codeUser = `{"role":"user","content":[{"type":"text","text":"<system-reminder>\nCLAUDE.md says: no tabs.\n</system-reminder>"},` +
		`{"type":"text","text":"Compare a.go and b.go","cache_control":{"type":"ephemeral"}}]}`
)

// codeTools are tools with schemas as long as Claude Code's.
func codeTools() string {
	long := strings.Repeat("- Use this tool for what it is made for; never for anything else.\\n", 40)
	return `[{"name":"Read","description":"Reads a file.\n` + long + `","input_schema":{"$schema":"http://json-schema.org/draft-07/schema#","type":"object",` +
		`"properties":{"file_path":{"type":"string","description":"The absolute path"},"offset":{"type":"number"},"limit":{"type":"number"}},"required":["file_path"],"additionalProperties":false}},` +
		`{"name":"TodoWrite","description":"Keeps a list.\n` + long + `","input_schema":{"type":"object","properties":{"todos":{"type":"array","items":{"type":"object",` +
		`"properties":{"content":{"type":"string","minLength":1},"status":{"type":"string","enum":["pending","in_progress","completed"]}},"required":["content","status"]}}},"required":["todos"]},"cache_control":{"type":"ephemeral"}}]`
}

func codeRequest(messages ...string) string {
	return `{"model":"claude-sonnet-4-5","max_tokens":32000,"temperature":1,"stream":true,"system":` + codeSystem + `,"tools":` + codeTools() +
		`,"metadata":{"user_id":"user_0a1b_account__session_7c"},"messages":[` + strings.Join(messages, ",") + `]}`
}

// Traffic like Claude Code's over a provider of another dialect: thinking, two
// tools at once with their pieces mixed, their results with a text behind, an
// image and an error among them, and the thoughts back in the history.
func TestToolLoopOverOpenAI(t *testing.T) {
	t.Parallel()
	m := newMesh(t, setup{})
	var sent []byte
	turn := func(step, request, answer string) *message {
		t.Helper()
		m.request.Script = overOpenAI(func(body []byte) string {
			sent = bytes.Clone(body)
			return answer
		})
		w := post(m, "/v1/messages?beta=true", request, "Anthropic-Version", "2023-06-01", "Anthropic-Beta", "claude-code-20250219,interleaved-thinking-2025-05-14")
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, sent, "", "  "); err != nil {
			t.Fatalf("%s: %d %s", step, w.Code, w.Body)
		}
		gatewaytest.Golden(t, "code/"+step+".provider.json", pretty.String()+"\n")
		gatewaytest.Golden(t, "code/"+step+".client.txt", "x-gptmesh-dropped: "+w.Header().Get("X-Gptmesh-Dropped")+"\n\n"+w.Body.String())
		got, err := accumulate(w.Body.String())
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		return got
	}
	history := func(m *message) string {
		content, err := json.Marshal(m.Content)
		if err != nil {
			t.Fatal(err)
		}
		return `{"role":"assistant","content":` + string(content) + `}`
	}

	first := turn("1_two_tools", codeRequest(codeUser), chunks("tool_calls",
		`{"reasoning_content":"Two "}`, `{"reasoning_content":"files."}`, `{"content":"I'll read "}`, `{"content":"both."}`,
		`{"tool_calls":[{"index":0,"id":"call_A","type":"function","function":{"name":"Read","arguments":""}}]}`,
		`{"tool_calls":[{"index":0,"function":{"arguments":"{\"file_path\":\"/repo"}}]}`,
		`{"tool_calls":[{"index":1,"id":"call_B","type":"function","function":{"name":"Read","arguments":"{\"limit\":9007199254740993,"}}]}`,
		`{"tool_calls":[{"index":0,"function":{"arguments":"/a.go\"}"}}]}`,
		`{"tool_calls":[{"index":1,"function":{"arguments":"\"file_path\":\"/repo/b.go\"}"}}]}`))
	if kinds(first) != "thinking text tool_use tool_use" || *first.StopReason != "tool_use" || first.Usage["input_tokens"] != 1000.0 || first.Usage["cache_read_input_tokens"] != 17000.0 {
		t.Errorf("%s %s %v", kinds(first), *first.StopReason, first.Usage)
	}

	results := `{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_A","content":"     1\tpackage a\n"},` +
		`{"type":"tool_result","tool_use_id":"call_B","is_error":true,"content":[{"type":"text","text":"File does not exist."},` +
		`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}],"cache_control":{"type":"ephemeral"}},` +
		`{"type":"text","text":"<system-reminder>\nb.go was moved.\n</system-reminder>"}]}`
	second := turn("2_same_tool_again", codeRequest(codeUser, history(first), results), chunks("tool_calls",
		`{"tool_calls":[{"index":0,"id":"call_C","type":"function","function":{"name":"Read","arguments":"{\"file_path\":\"/repo/c/b.go\"}"}}]}`))
	if kinds(second) != "tool_use" || fmt.Sprintf("%s", second.Content[0]["input"]) != `{"file_path":"/repo/c/b.go"}` {
		t.Errorf("%v", second.Content)
	}

	again := `{"role":"user","content":[{"tool_use_id":"call_C","type":"tool_result","content":[{"type":"text","text":"package b 😀"}]}]}`
	third := turn("3_text", codeRequest(codeUser, history(first), results, history(second), again), chunks("stop",
		`{"content":"They "}`, `{"content":"differ 😀\u2028."}`))
	if kinds(third) != "text" || third.Content[0]["text"] != "They differ 😀\u2028." || *third.StopReason != "end_turn" {
		t.Errorf("%v", third.Content)
	}

	// A model that thinks and signs its thoughts was asked before this one.
	signed := `{"role":"assistant","content":[{"type":"thinking","thinking":"Hm.","signature":"EqQBCgIYAhIM"},{"type":"redacted_thinking","data":"EmwKAhgB"},{"type":"text","text":"Done."}]}`
	forced := strings.Replace(codeRequest(codeUser, signed, `{"role":"user","content":"Thanks. List it."}`), `"metadata"`,
		`"thinking":{"type":"enabled","budget_tokens":8000},"tool_choice":{"type":"auto","disable_parallel_tool_use":true},"top_k":5,"stop_sequences":["END"],"metadata"`, 1)
	turn("4_switched_model", forced, chunks("length", `{"content":"1."}`))
}

func kinds(m *message) string {
	var out []string
	for _, block := range m.Content {
		out = append(out, block["type"].(string))
	}
	return strings.Join(out, " ")
}

// The small request beside it: no stream, no tools, a system that is a text.
func TestTitleOverOpenAI(t *testing.T) {
	t.Parallel()
	m := newMesh(t, setup{})
	var sent string
	m.request.Script = overOpenAI(func(body []byte) string {
		sent = string(body)
		return `{"id":"chatcmpl-9","object":"chat.completion","created":1,"model":"gpt-4.1-2025","choices":[{"index":0,"message":{"role":"assistant","content":"{\"title\":\"Go\"}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}}`
	})
	w := post(m, "/v1/messages", `{"model":"claude-haiku-4-5","max_tokens":512,"system":"Write a title.","messages":[{"role":"user","content":"Compare"},{"role":"assistant","content":"{"}]}`)
	gatewaytest.Golden(t, "code/title.txt", sent+"\n\n"+w.Body.String()+"\n")
}

// What a provider does wrong ends in an error, before the first event and
// behind it.
func TestFailuresOverOpenAI(t *testing.T) {
	t.Parallel()
	whole := chunks("stop", `{"content":"Hel"}`, `{"content":"lo"}`)
	for name, c := range map[string]struct {
		stream string
		status int
		kind   string
	}{
		"cut before the first event": {"", 502, "api_error"},
		"cut in the middle":          {whole[:strings.Index(whole, `"lo"`)/2], 502, "api_error"},
		"cut behind a delta":         {whole[:strings.Index(whole, "\n\n")+2], 200, "api_error"},
		"an error event":             {whole[:strings.Index(whole, "\n\n")+2] + `data: {"error":{"message":"secret at 10.0.0.1","type":"server_error","code":null}}` + "\n\n", 200, "api_error"},
	} {
		m := newMesh(t, setup{})
		m.request.Script = overOpenAI(func([]byte) string { return c.stream })
		w := post(m, "/v1/messages", askStream)
		body := w.Body.String()
		if w.Code != c.status || !strings.Contains(body, `{"type":"error","error":{"type":"`+c.kind+`"`) || strings.Contains(body, "message_stop") || strings.Contains(body, "10.0.0.1") {
			t.Errorf("%s: %d %s", name, w.Code, body)
		}
		if w.Code == 200 {
			if _, err := accumulate(body); err == nil || !strings.Contains(err.Error(), c.kind) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
