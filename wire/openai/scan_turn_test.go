package openai_test

import (
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/openai"
	"google.golang.org/grpc/codes"
)

const ask = `"messages":[{"role":"user","content":"x"}]`

// TestRefusals holds that what is wrong is refused with the member's name: by
// the scan where it is at the top, else by decoding.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const (
		malformed = meshv1.ErrorReason_ERROR_REASON_MALFORMED_BODY
		invalid   = meshv1.ErrorReason_ERROR_REASON_INVALID_FIELD
	)
	for _, test := range []struct {
		body, field string
		reason      meshv1.ErrorReason
		inside      bool // found by decoding alone
	}{
		{``, "", malformed, false},
		{`[]`, "", malformed, false},
		{`{"model":"m",` + ask, "", malformed, false},
		{`{` + ask + `} x`, "", malformed, false},
		{"{" + ask + ",\"user\":\"\xff\"}", "", malformed, false},
		{`{"model":"a","model":"b",` + ask + `}`, "model", meshv1.ErrorReason_ERROR_REASON_DUPLICATE_FIELD, false},
		{`{"mod\u0065l":"a",` + ask + `}`, "model", malformed, false},
		{`{"model":"",` + ask + `}`, "model", invalid, false},
		{`{"model":5,` + ask + `}`, "model", malformed, false},
		{`{"model":"m"}`, "messages", invalid, false},
		{`{"model":"m","messages":null}`, "messages", invalid, false},
		{`{"model":"m","messages":[ ]}`, "messages", invalid, false},
		{`{"model":"m","messages":"hi"}`, "messages", malformed, false},
		{`{"model":"m","input":"hi"}`, "input", meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED, false},
		{`{"stream":"yes",` + ask + `}`, "stream", malformed, false},
		{`{"stream_options":true,` + ask + `}`, "stream_options", malformed, false},
		{`{"temperature":2.1,` + ask + `}`, "temperature", invalid, false},
		{`{"temperature":-0.1,` + ask + `}`, "temperature", invalid, false},
		{`{"temperature":"1",` + ask + `}`, "temperature", malformed, false},
		{`{"temperature":1e999,` + ask + `}`, "temperature", malformed, false},
		{`{"top_p":1.5,` + ask + `}`, "top_p", invalid, false},
		{`{"presence_penalty":2.5,` + ask + `}`, "presence_penalty", invalid, false},
		{`{"frequency_penalty":-2.5,` + ask + `}`, "frequency_penalty", invalid, false},
		{`{"n":0,` + ask + `}`, "n", invalid, false},
		{`{"n":129,` + ask + `}`, "n", invalid, false},
		{`{"n":1.5,` + ask + `}`, "n", malformed, false},
		{`{"top_logprobs":21,` + ask + `}`, "top_logprobs", invalid, false},
		{`{"max_tokens":0,` + ask + `}`, "max_tokens", invalid, false},
		{`{"max_completion_tokens":-1,` + ask + `}`, "max_completion_tokens", invalid, false},
		{`{"max_tokens":99999999999999999999,` + ask + `}`, "max_tokens", malformed, false},
		{`{"tools":{},` + ask + `}`, "tools", malformed, false},
		{`{"user":7,` + ask + `}`, "user", malformed, false},
		{`{"messages":[7]}`, "messages[0]", malformed, true},
		{`{"messages":[{"content":"x"}]}`, "messages[0].role", malformed, true},
		{`{"messages":[{"role":"robot","content":"x"}]}`, "messages[0].role", invalid, true},
		{`{"messages":[{"role":"user","content":"x"},{"role":"user","content":7}]}`, "messages[1].content", malformed, true},
		{`{"messages":[{"role":"user","content":[{"type":"text"}]}]}`, "messages[0].content[0].text", malformed, true},
		{`{"messages":[{"role":"user","content":[{"text":"x"}]}]}`, "messages[0].content[0].type", malformed, true},
		{`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,%%"}}]}]}`, "messages[0].content[0].image_url.url", malformed, true},
		{`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}`, "messages[0].content[0].image_url.url", malformed, true},
		{`{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"format":"wav"}}]}]}`, "messages[0].content[0].input_audio.data", malformed, true},
		{`{"messages":[{"role":"assistant","tool_calls":[{"id":"a"}]}]}`, "messages[0].tool_calls[0].function", malformed, true},
		{`{"messages":[{"role":"user","content":"x","tool_calls":[]}]}`, "messages[0].tool_calls", meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED, true},
		{`{"tools":[{"type":"function"}],` + ask + `}`, "tools[0].function", malformed, true},
		{`{"tools":[{"type":"function","function":{"name":""}}],` + ask + `}`, "tools[0].function.name", malformed, true},
		{`{"tools":[{"type":"function","function":{"name":"f","parameters":[]}}],` + ask + `}`, "tools[0].function.parameters", malformed, true},
		{`{"tool_choice":7,` + ask + `}`, "tool_choice", malformed, true},
		{`{"stop":7,` + ask + `}`, "stop", malformed, true},
		{`{"stop":["a",7],` + ask + `}`, "stop[1]", malformed, true},
		{`{"response_format":{"type":"json_schema"},` + ask + `}`, "response_format.json_schema", malformed, true},
		{`{"reasoning_effort":7,` + ask + `}`, "reasoning_effort", malformed, true},
		{`{"logit_bias":{"1":"x"},` + ask + `}`, "logit_bias.1", malformed, true},
	} {
		codec := openai.Chat()
		_, scanErr := codec.ScanTurn([]byte(test.body))
		_, err := codec.DecodeTurn([]byte(test.body))
		if (scanErr != nil) == test.inside {
			t.Errorf("%s: the scan says %v", test.body, scanErr)
		}
		for _, err := range []error{scanErr, err} {
			if err == nil && test.inside {
				continue
			}
			f := fault.From(err)
			if f == nil || f.Reason != test.reason || f.Field() != test.field || f.Code != codes.InvalidArgument {
				t.Errorf("%s: have %v (field %q), want %v of %q", test.body, err, f.Field(), test.reason, test.field)
			}
		}
		if _, err := codec.DecodeTurn([]byte(test.body)); err == nil {
			t.Errorf("%s: decoded", test.body)
		}
	}
}

// TestScanTakes holds that what clients really send is taken.
func TestScanTakes(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]*conversationv1.Turn{
		`{` + ask + `}`: {},
		` {"model":"m","stream":null,"max_tokens":null,"tools":null,"n":null,"temperature":null,"user":null,` + ask + `} `: {Model: "m"},
		`{"stream":true,"max_tokens":128.0,"tools":[],` + ask + `}`:                                                        {Stream: true, MaxOutputTokens: new(int64(128))},
		`{"max_tokens":5,"max_completion_tokens":6,"tools":[{}],` + ask + `}`:                                              {MaxOutputTokens: new(int64(6)), HasTools: true},
		`{"functions":[{}],"user":"u",` + ask + `}`:                                                                        {HasTools: true, User: "u"},
	} {
		turn, err := openai.Chat().ScanTurn([]byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if turn.GetModel() != want.GetModel() || turn.GetStream() != want.GetStream() || turn.GetHasTools() != want.GetHasTools() ||
			turn.GetUser() != want.GetUser() || turn.GetMaxOutputTokens() != want.GetMaxOutputTokens() {
			t.Errorf("%s: have %v", body, turn)
		}
	}
}

func TestAsksUsage(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{"stream_options":{"include_usage":true},` + ask + `}`:               true,
		`{"stream_options":{"x":1,"include_usage" : true},` + ask + `}`:       true,
		`{"stream_options":{"include_usage":false},` + ask + `}`:              false,
		`{"stream_options":{"include_usage":null},` + ask + `}`:               false,
		`{"stream_options":null,` + ask + `}`:                                 false,
		`{"user":"include_usage",` + ask + `}`:                                false,
		`{"metadata":{"include_usage":true},"stream_options":{},` + ask + `}`: false,
	} {
		codec := openai.Chat()
		raw, err := codec.ScanTurn([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		typed, err := codec.DecodeTurn([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if openai.AsksUsage(raw) != want || openai.AsksUsage(typed) != want {
			t.Errorf("%s: want %v", body, want)
		}
	}
	if openai.AsksUsage(&conversationv1.Turn{ExtraWire: conversationv1.Wire_WIRE_OLLAMA_CHAT, ExtraJson: `{"stream_options":{"include_usage":true}}`}) {
		t.Error("another dialect's member was read")
	}
}

// TestSplice holds which members of a raw body the mesh writes.
func TestSplice(t *testing.T) {
	t.Parallel()
	const m = `"messages":[{"role":"developer","content":[{"type":"text","text":"x"}]}]`
	for _, test := range []struct {
		name, body, want string
		options          wire.TurnOptions
		limit            int64 // set over the head's
	}{
		{"nothing but the model", `{"model":"a","stream":true, "x":1.0,` + m + `}`, `{"model":"b","stream":true, "x":1.0,` + m + `}`, wire.TurnOptions{Stream: true}, 0},
		{"usage is asked for", `{"model":"a","stream":true,` + m + `}`, `{"model":"b","stream":true,` + m + `,"stream_options":{"include_usage":true}}`, wire.TurnOptions{Stream: true, WantUsage: true}, 0},
		{"options stay", `{"model":"a","stream":true,"stream_options":{"x":1},` + m + `}`, `{"model":"b","stream":true,"stream_options":{"x":1,"include_usage":true},` + m + `}`, wire.TurnOptions{Stream: true, WantUsage: true}, 0},
		{"usage is turned on", `{"model":"a","stream":true,"stream_options":{"include_usage":false,"x":1},` + m + `}`, `{"model":"b","stream":true,"stream_options":{"include_usage":true,"x":1},` + m + `}`, wire.TurnOptions{Stream: true, WantUsage: true}, 0},
		{"usage is not turned off", `{"model":"a","stream":true,"stream_options":{"include_usage":true},` + m + `}`, `{"model":"b","stream":true,"stream_options":{"include_usage":true},` + m + `}`, wire.TurnOptions{Stream: true}, 0},
		{"null options", `{"model":"a","stream":true,"stream_options":null,` + m + `}`, `{"model":"b","stream":true,"stream_options":{"include_usage":true},` + m + `}`, wire.TurnOptions{Stream: true, WantUsage: true}, 0},
		{"no options without a stream", `{"model":"a","stream":true,"stream_options":{"include_usage":true},` + m + `}`, `{"model":"b","stream":false,` + m + `}`, wire.TurnOptions{WantUsage: true}, 0},
		{"no options for this server", `{"model":"a","stream_options":{"include_usage":true},` + m + `}`, `{"model":"b",` + m + `,"stream":true}`, wire.TurnOptions{Stream: true, WantUsage: true, Quirks: []string{"no_stream_options"}}, 0},
		{"limits stay", `{"model":"a","stream":false,"max_tokens":5,` + m + `}`, `{"model":"b","stream":false,"max_tokens":5,` + m + `}`, wire.TurnOptions{}, 0},
		{"a narrowed limit", `{"model":"a","stream":false,"max_tokens":5,` + m + `}`, `{"model":"b","stream":false,"max_tokens":3,` + m + `}`, wire.TurnOptions{}, 3},
		{"a limit where none was", `{"model":"a","stream":false,` + m + `}`, `{"model":"b","stream":false,` + m + `,"max_tokens":3}`, wire.TurnOptions{}, 3},
		{"another name", `{"model":"a","stream":false,"max_completion_tokens":5,` + m + `}`, `{"model":"b","stream":false,` + m + `,"max_tokens":5}`, wire.TurnOptions{Quirks: []string{"max_tokens"}}, 0},
		{"the name back", `{"model":"a","stream":false,"max_tokens":5,` + m + `}`, `{"model":"b","stream":false,` + m + `,"max_completion_tokens":5}`, wire.TurnOptions{Quirks: []string{"max_completion_tokens"}}, 0},
		{"both, one name", `{"model":"a","stream":false,"max_tokens":5,"max_completion_tokens":6,` + m + `}`, `{"model":"b","stream":false,"max_tokens":6,` + m + `}`, wire.TurnOptions{Quirks: []string{"max_tokens"}}, 0},
		{"unknown quirks", `{"model":"a","stream":false,` + m + `}`, `{"model":"b","stream":false,` + m + `}`, wire.TurnOptions{Quirks: []string{"nonsense"}}, 0},
		{"roles", `{"model":"a","x":1,` + m + `}`, `{"model":"b","messages":[{"role":"system","content":"x"}],"stream":false,"x":1}`, wire.TurnOptions{Quirks: []string{"no_developer_role"}}, 0},
		{"content", `{"model":"a","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}`, `{"model":"b","messages":[{"role":"user","content":"a\nb"}],"max_tokens":4,"stream":false}`, wire.TurnOptions{Quirks: []string{"string_content"}}, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			turn, err := openai.Chat().ScanTurn([]byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if test.limit > 0 {
				turn.MaxOutputTokens = &test.limit
			}
			test.options.Model = "b"
			got, dropped, err := openai.Chat().EncodeTurn(turn, test.options)
			if err != nil || len(dropped) > 0 {
				t.Fatal(dropped, err)
			}
			if string(got) != test.want {
				t.Errorf("have %s\nwant %s", got, test.want)
			}
			if string(turn.Raw.Body) != test.body {
				t.Error("the body was changed")
			}
		})
	}
}

func TestLimitName(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]string{
		"gpt-4o": "max_completion_tokens", "gpt-5-mini": "max_completion_tokens", "o3": "max_completion_tokens", "o1-mini": "max_completion_tokens",
		"openai/gpt-5": "max_completion_tokens", "chatgpt-4o-latest": "max_completion_tokens", "codex-mini-latest": "max_completion_tokens",
		"gpt-oss-120b": "max_tokens", "openai/gpt-oss-20b": "max_tokens", "llama3": "max_tokens", "qwen/qwen3": "max_tokens", "deepseek-chat": "max_tokens", "olmo": "max_tokens", "o1x": "max_tokens",
	} {
		turn := &conversationv1.Turn{MaxOutputTokens: new(int64(7)), Messages: []*conversationv1.Message{{
			Role: conversationv1.Role_ROLE_USER, Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: "x"}}},
		}}}
		body, _, err := openai.Chat().EncodeTurn(turn, wire.TurnOptions{Model: model})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(body), `"`+want+`":7`) {
			t.Errorf("%s: %s", model, body)
		}
	}
}

// TestReadMessages has long texts lie in the body, and short ones and those with escapes not.
func TestReadMessages(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1000)
	body := []byte(`{"model":"m","messages":[{"role":"user","content":"` + long + `"},
		{"role":"user","content":[{"type":"text","text":"` + long + `"},{"type":"text","text":"` + long + `\n"}]},{"role":"user","content":"short"}]}`)
	messages, err := wire.ReadMessages(openai.Chat(), body)
	if err != nil || len(messages) != 3 {
		t.Fatal(err, len(messages))
	}
	for i := range body {
		body[i] = '!'
	}
	gone := strings.Repeat("!", len(long))
	for i, want := range []string{gone, gone, long + "\n", "short"} {
		part := append(append(messages[0].GetParts(), messages[1].GetParts()...), messages[2].GetParts()...)[i]
		if part.GetText() != want {
			t.Errorf("text %d is %.20q", i, part.GetText())
		}
	}
}
