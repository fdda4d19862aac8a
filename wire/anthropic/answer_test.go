package anthropic_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/anthropic"
	"github.com/gptmesh/gptmesh/wire/wiretest"
)

// lawful holds that events obey the grammar.
func lawful(t testing.TB, events []*conversationv1.Event, whole bool) {
	t.Helper()
	var g wire.Grammar
	for _, e := range events {
		if err := g.Accept(e); err != nil {
			t.Fatal(err)
		}
	}
	if g.Ended() != whole {
		t.Errorf("ended: %v", g.Ended())
	}
}

// read feeds a decoder with what src yields, batch by batch.
func read(codec wire.Codec, src io.Reader) ([]*conversationv1.Event, error) {
	decoder, reader := codec.NewStreamDecoder(), eventstream.NewSSEReader(src, eventstream.Limits{})
	var events []*conversationv1.Event
	for {
		batch, err := reader.Next()
		if err != nil {
			break
		}
		if events, err = decoder.Decode(events, batch.Raw); err != nil {
			return events, err
		}
	}
	var err error
	if events, err = decoder.Decode(events, reader.Rest().Raw); err != nil {
		return events, err
	}
	return decoder.End(events)
}

// strictClient reads a stream as the SDKs do and holds what they rely on.
func strictClient(t *testing.T, out []byte) (blocks []map[string]any) {
	t.Helper()
	reader := eventstream.NewSSEReader(bytes.NewReader(out), eventstream.Limits{})
	started, stopped, failed, open := 0, false, false, -1
	stopReason := any(nil)
	pieces := ""
	for {
		batch, err := reader.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, event := range batch.Events {
			var e struct {
				Type         string
				Index        *int
				Message      map[string]any
				ContentBlock map[string]any `json:"content_block"`
				Delta        map[string]any
				Usage        map[string]any
				Error        map[string]any
			}
			if err := json.Unmarshal(event.Data, &e); err != nil {
				t.Fatalf("%s: %v", event.Raw, err)
			}
			if e.Type != string(event.Name) || stopped || failed {
				t.Errorf("out of place: %s", event.Raw)
			}
			if strings.HasPrefix(e.Type, "content_block") && (e.Index == nil || *e.Index != len(blocks)-btoi(e.Type != "content_block_start")) {
				t.Errorf("index: %s", event.Raw)
			}
			switch e.Type {
			case "message_start":
				started++
				usage, _ := e.Message["usage"].(map[string]any)
				content, isList := e.Message["content"].([]any)
				if _, null := e.Message["stop_reason"]; !null || !isList || len(content) > 0 || usage["output_tokens"] != 0.0 || usage["input_tokens"] == nil ||
					e.Message["id"] == "" || e.Message["role"] != "assistant" || e.Message["type"] != "message" {
					t.Errorf("start: %s", event.Raw)
				}
			case "content_block_start":
				if open >= 0 {
					t.Errorf("two blocks are open: %s", event.Raw)
				}
				open, pieces = *e.Index, ""
				blocks = append(blocks, e.ContentBlock)
				if input, ok := e.ContentBlock["input"].(map[string]any); e.ContentBlock["type"] == "tool_use" && (!ok || len(input) > 0) {
					t.Errorf("input: %s", event.Raw)
				}
			case "content_block_delta":
				b := blocks[open]
				switch e.Delta["type"] {
				case "text_delta":
					b["text"] = b["text"].(string) + e.Delta["text"].(string)
				case "thinking_delta":
					b["thinking"] = b["thinking"].(string) + e.Delta["thinking"].(string)
				case "signature_delta":
					b["signature"], b["signed"] = e.Delta["signature"].(string), true
				case "input_json_delta":
					pieces += e.Delta["partial_json"].(string)
				}
			case "content_block_stop":
				if b := blocks[open]; b["type"] == "tool_use" {
					b["pieces"] = pieces
				} else if b["type"] == "thinking" && b["signed"] != true {
					t.Error("a thought has no signature")
				}
				open = -1
			case "message_delta":
				stopReason = e.Delta["stop_reason"]
				if _, there := e.Delta["stop_sequence"]; !there || stopReason == nil || e.Usage["input_tokens"] == nil || e.Usage["output_tokens"] == nil || open >= 0 {
					t.Errorf("delta: %s", event.Raw)
				}
			case "message_stop":
				stopped = true
			case "error":
				failed = true
				if e.Error["type"] == "" || e.Error["message"] == "" {
					t.Errorf("error: %s", event.Raw)
				}
			}
		}
	}
	if started != 1 || stopped == failed || stopped && stopReason == nil {
		t.Errorf("%d starts, stopped %v, failed %v", started, stopped, failed)
	}
	return blocks
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func event(kind any) *conversationv1.Event {
	switch k := kind.(type) {
	case *conversationv1.Started:
		return &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: k}}
	case *conversationv1.TextDelta:
		return &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: k}}
	case *conversationv1.ReasoningDelta:
		return &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{Reasoning: k}}
	case *conversationv1.ToolCallDelta:
		return &conversationv1.Event{Kind: &conversationv1.Event_ToolCall{ToolCall: k}}
	case *conversationv1.ChoiceFinished:
		return &conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: k}}
	case *conversationv1.Usage:
		return &conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: k}}
	case *conversationv1.Finished:
		return &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: k}}
	case *conversationv1.Failure:
		return &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: k}}
	}
	return nil
}

func text(s string) *conversationv1.Event { return event(&conversationv1.TextDelta{Text: s}) }

func call(index int32, id, name, arguments string) *conversationv1.Event {
	return event(&conversationv1.ToolCallDelta{Index: index, Id: id, Name: name, ArgumentsJson: arguments})
}

func finish(events ...*conversationv1.Event) []*conversationv1.Event {
	events = append([]*conversationv1.Event{event(&conversationv1.Started{ProviderResponseId: "chatcmpl-1", Model: "gpt"})}, events...)
	return append(events, event(&conversationv1.ChoiceFinished{Reason: conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS}),
		event(&conversationv1.Usage{InputTokens: 10, OutputTokens: 5, CachedInputTokens: 4}), event(&conversationv1.Finished{}))
}

// Encoded event by event and all at once, a stream is the same and nested.
func TestStreamEncoderNests(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		events []*conversationv1.Event
		want   string // kinds of the blocks and their content
	}{
		{"calls in a row", finish(call(0, "a", "f", `{"x":`), call(0, "", "", `"}"}`), call(1, "b", "g", `{}`)), `f{"x":"}"} g{}`},
		{"calls in turns", finish(call(0, "a", "f", `{"x":`), call(1, "b", "g", `{"y"`), call(0, "", "", `1}`), call(1, "", "", `:2}`), call(2, "c", "h", "")), `f{"x":1} g{"y":2} h`},
		{"text in a call", finish(text("A"), call(0, "a", "f", `{`), text("B"), call(0, "", "", `}`), text("C")), `A f{} BC`},
		{"text behind a call", finish(call(0, "a", "f", `{}`), text("B"), call(0, "", "", ` `)), `f{} B`},
		{"a call without arguments, text", finish(call(0, "a", "f", ``), text("B")), `f B`},
		{"a broken call", finish(call(0, "a", "f", `{"x`), call(1, "b", "g", `]`), text("B")), `f{"x g] B`},
		{"thoughts", finish(event(&conversationv1.ReasoningDelta{Text: "T"}), event(&conversationv1.ReasoningDelta{Signature: "S"}), event(&conversationv1.ReasoningDelta{Text: "U"}),
			event(&conversationv1.ReasoningDelta{Redacted: "R"}), event(&conversationv1.ReasoningDelta{Signature: "V"}), text("B")), `(T S) (U ) [R] ( V) B`},
		{"another choice", finish(event(&conversationv1.TextDelta{Choice: 1, Text: "no"}), text("B"), event(&conversationv1.ChoiceFinished{Choice: 1})), `B`},
		{"nothing", finish(), ``},
	} {
		lawful(t, tt.events, true)
		options := wire.AnswerOptions{InputTokens: 3}
		all, err := anthropic.Messages().NewStreamEncoder(options).Encode(nil, tt.events)
		if err != nil {
			t.Fatal(err)
		}
		var out []byte
		encoder := anthropic.Messages().NewStreamEncoder(options)
		for _, e := range tt.events {
			if out, err = encoder.Encode(out, []*conversationv1.Event{e}); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(all, out) {
			t.Errorf("%s: one by one it is another stream", tt.name)
		}
		var got []string
		for _, b := range strictClient(t, out) {
			switch b["type"] {
			case "text":
				got = append(got, b["text"].(string))
			case "tool_use":
				got = append(got, b["name"].(string)+b["pieces"].(string))
			case "thinking":
				got = append(got, "("+b["thinking"].(string)+" "+b["signature"].(string)+")")
			case "redacted_thinking":
				got = append(got, "["+b["data"].(string)+"]")
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if bytes.Contains(out, []byte("[DONE]")) || !bytes.Contains(out, []byte(`"usage":{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":5}`)) {
			t.Errorf("%s: %s", tt.name, out)
		}
	}
}

// A call that nothing else interrupts is written as it comes.
func TestStreamEncoderDoesNotHoldTheFirstCall(t *testing.T) {
	t.Parallel()
	encoder := anthropic.Messages().NewStreamEncoder(wire.AnswerOptions{ID: "msg_1", Model: "m"})
	for _, step := range []struct {
		event *conversationv1.Event
		want  string
	}{
		{event(&conversationv1.Started{}), `event: message_start` + "\n" + `data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}` + "\n\n"},
		{call(0, "a", "f", ""), "event: content_block_start\n" + `data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}` + "\n\n"},
		{call(0, "", "", `{"a`), "event: content_block_delta\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a"}}` + "\n\n"},
	} {
		got, err := encoder.Encode(nil, []*conversationv1.Event{step.event})
		if err != nil || string(got) != step.want {
			t.Errorf("got %s, %v", got, err)
		}
	}
}

func TestStreamEncoderBoundsWhatItHolds(t *testing.T) {
	t.Parallel()
	encoder := anthropic.Messages().NewStreamEncoder(wire.AnswerOptions{})
	_, err := encoder.Encode(nil, []*conversationv1.Event{event(&conversationv1.Started{}), call(0, "a", "f", "{"), call(1, "b", "g", "{")})
	piece := strings.Repeat("x", 1<<20)
	for range 40 {
		if err != nil {
			break
		}
		_, err = encoder.Encode(nil, []*conversationv1.Event{call(1, "", "", piece)})
	}
	if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE) {
		t.Errorf("got %v", err)
	}
}

func TestStopReasons(t *testing.T) {
	t.Parallel()
	type reason = conversationv1.FinishReason
	for _, tt := range []struct {
		reason   reason
		sequence string
		called   bool
		want     string
	}{
		{conversationv1.FinishReason_FINISH_REASON_STOP, "", false, `"stop_reason":"end_turn","stop_sequence":null`},
		{conversationv1.FinishReason_FINISH_REASON_STOP, "END", false, `"stop_reason":"stop_sequence","stop_sequence":"END"`},
		{conversationv1.FinishReason_FINISH_REASON_STOP, "", true, `"stop_reason":"tool_use","stop_sequence":null`},
		{conversationv1.FinishReason_FINISH_REASON_UNSPECIFIED, "", false, `"stop_reason":"end_turn","stop_sequence":null`},
		{conversationv1.FinishReason_FINISH_REASON_LENGTH, "", true, `"stop_reason":"max_tokens","stop_sequence":null`},
		{conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS, "", true, `"stop_reason":"tool_use","stop_sequence":null`},
		{conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER, "", false, `"stop_reason":"refusal","stop_sequence":null`},
		{conversationv1.FinishReason_FINISH_REASON_REFUSAL, "", false, `"stop_reason":"refusal","stop_sequence":null`},
		{conversationv1.FinishReason_FINISH_REASON_PAUSE, "", false, `"stop_reason":"pause_turn","stop_sequence":null`},
	} {
		events := []*conversationv1.Event{event(&conversationv1.Started{})}
		if tt.called {
			events = append(events, call(0, "a", "f", "{}"))
		}
		events = append(events, event(&conversationv1.ChoiceFinished{Reason: tt.reason, StopSequence: tt.sequence}), event(&conversationv1.Finished{}))
		out, err := anthropic.Messages().NewStreamEncoder(wire.AnswerOptions{}).Encode(nil, events)
		if err != nil || !bytes.Contains(out, []byte(tt.want)) {
			t.Errorf("%v: %s, %v", tt.reason, out, err)
		}
		body, err := anthropic.Messages().EncodeAnswer(wiretest.Assemble(t, events), wire.AnswerOptions{})
		if err != nil || !bytes.Contains(body, []byte(tt.want)) {
			t.Errorf("%v: %s, %v", tt.reason, body, err)
		}
	}
}

func TestStreamTruncated(t *testing.T) {
	t.Parallel()
	const start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n"
	const stopped = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n"
	for _, data := range []string{"", ": hi\n\n", start, start + stopped} {
		_, err := read(anthropic.Messages(), strings.NewReader(data))
		if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED) {
			t.Errorf("%q: %v", data, err)
		}
		scanner := anthropic.Messages().NewRawScanner(wire.ScanOptions{})
		if _, _, _, err := scanner.Scan([]byte(data), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := scanner.End(nil); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED) {
			t.Errorf("raw %q: %v", data, err)
		}
	}
}

func TestStreamProtocol(t *testing.T) {
	t.Parallel()
	const start = "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n"
	for _, data := range []string{
		"data: <html>\n\n", "data: []\n\n", start + start, "data: {\"type\":\"message_stop\"}\n\n",
		"data: {\"type\":\"message_start\"}\n\n",
		start + `data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","name":"f"}}` + "\n\n",
		start + `data: {"type":"content_block_start","index":0}` + "\n\n",
		start + strings.Repeat(`data: {"type":"content_block_start","index":0,"content_block":{"type":"text"}}`+"\n\n", 2),
		start + `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":7}}` + "\n\n",
		start + `data: {"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":"{"}}` + "\n\n",
	} {
		events, err := read(anthropic.Messages(), strings.NewReader(data))
		if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL) {
			t.Errorf("%q: %v", data, err)
		}
		lawful(t, events, false)
	}
	for _, body := range []string{``, `[]`, `{"type":"message"}`, `{"content":[7]}`, `{"content":[{"type":"tool_use"}]}`} {
		if _, err := anthropic.Messages().DecodeAnswer([]byte(body)); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	if got := string(anthropic.AppendPing([]byte("x"))); got != "xevent: ping\ndata: {\"type\":\"ping\"}\n\n" {
		t.Errorf("got %q", got)
	}
}
