package ollama_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/ollama"
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
	decoder, reader := codec.NewStreamDecoder(), eventstream.NewLineReader(src, eventstream.Limits{})
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

// clientLines holds what strict clients want of every line.
func clientLines(t *testing.T, codec wire.Codec, out []byte) {
	t.Helper()
	lines := bytes.SplitAfter(out, []byte("\n"))
	if last := lines[len(lines)-1]; len(last) != 0 {
		t.Fatalf("the last line has no end: %q", last)
	}
	lines = lines[:len(lines)-1]
	for i, raw := range lines {
		var line struct {
			Model     *string
			CreatedAt *time.Time `json:"created_at"`
			Message   *struct {
				Role      *string
				Content   *string
				ToolCalls []struct {
					ID       *string
					Function *struct {
						Index     *int
						Name      *string
						Arguments map[string]any
					}
				} `json:"tool_calls"`
			}
			Response     *string
			Done         *bool
			DoneReason   string `json:"done_reason"`
			EvalDuration int64  `json:"eval_duration"`
			Error        *string
		}
		if err := json.Unmarshal(raw, &line); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		last := i == len(lines)-1
		if line.Error != nil {
			if !last {
				t.Errorf("something follows the error: %s", out)
			}
			return
		}
		content := line.Response
		if codec.Wire() == conversationv1.Wire_WIRE_OLLAMA_CHAT && line.Message != nil && line.Message.Role != nil {
			content = line.Message.Content
			for _, call := range line.Message.ToolCalls {
				if call.ID == nil || call.Function == nil || call.Function.Index == nil || call.Function.Name == nil || call.Function.Arguments == nil {
					t.Errorf("a call lacks something: %s", raw)
				}
				if last {
					t.Errorf("a call stands in the last line: %s", raw)
				}
			}
		}
		if line.Model == nil || line.CreatedAt == nil || content == nil || line.Done == nil || *line.Done != last {
			t.Errorf("a line lacks something: %s", raw)
		}
		if last && (line.DoneReason == "" || line.EvalDuration <= 0) {
			t.Errorf("the last line lacks something: %s", raw)
		}
	}
}

func started(model string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{Model: model}}}
}

func text(choice int32, s string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Choice: choice, Text: s}}}
}

func call(index int32, id, name, arguments string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ToolCall{ToolCall: &conversationv1.ToolCallDelta{
		Index: index, Id: id, Name: name, ArgumentsJson: arguments}}}
}

func ended(reason conversationv1.FinishReason) []*conversationv1.Event {
	return []*conversationv1.Event{
		{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{Reason: reason}}},
		{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}},
	}
}

func TestStreamEncoderHoldsToolCallsTogether(t *testing.T) {
	t.Parallel()
	events := append([]*conversationv1.Event{
		started("m"), text(1, "another choice"), call(0, "call_a", "read", `{"path":`), call(1, "call_b", "write", ""),
		text(0, "meanwhile"), call(1, "", "", "{\"x\":\n1}"), call(0, "", "", `"a"}`), call(2, "call_c", "none", ""), call(3, "call_d", "broken", `{"a":[`),
	}, ended(conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS)...)
	lawful(t, events, true)
	out, err := ollama.Chat().NewStreamEncoder(wire.AnswerOptions{Model: "As-Asked:latest", Now: wiretest.Clock(), InputTokens: 7}).Encode(nil, events)
	if err != nil {
		t.Fatal(err)
	}
	clientLines(t, ollama.Chat(), out)
	golden(t, "testdata/interleaved_calls.golden", string(out))
}

func TestStreamEncoderFailure(t *testing.T) {
	t.Parallel()
	encoder := ollama.Chat().NewStreamEncoder(wire.AnswerOptions{Now: wiretest.Clock()})
	failed := &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: &conversationv1.Failure{Message: "gone \"away\"\n"}}}
	out, err := encoder.Encode(nil, []*conversationv1.Event{started("m"), call(0, "a", "b", "{"), failed})
	if err != nil {
		t.Fatal(err)
	}
	if out, err = encoder.Encode(out, ended(conversationv1.FinishReason_FINISH_REASON_STOP)); err != nil {
		t.Fatal(err)
	}
	if want := `{"error":"gone \"away\"\n"}` + "\n"; string(out) != want {
		t.Errorf("got %s", out)
	}
}

func TestStreamEncoderBoundsToolCalls(t *testing.T) {
	t.Parallel()
	encoder := ollama.Chat().NewStreamEncoder(wire.AnswerOptions{})
	piece := strings.Repeat("x", 1<<20)
	_, err := encoder.Encode(nil, []*conversationv1.Event{started("m"), call(0, "a", "b", "")})
	for range 40 {
		if err != nil {
			break
		}
		_, err = encoder.Encode(nil, []*conversationv1.Event{call(0, "", "", piece)})
	}
	if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE) {
		t.Errorf("got %v", err)
	}
}

func TestStreamTruncated(t *testing.T) {
	t.Parallel()
	const line = `{"model":"m","created_at":"2025-01-01T00:00:00Z","message":{"role":"assistant","content":"a"},"done":false}` + "\n"
	for _, data := range []string{"", line, line + line} {
		_, err := read(ollama.Chat(), strings.NewReader(data))
		if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED) {
			t.Errorf("%q: %v", data, err)
		}
		scanner := ollama.Chat().NewRawScanner(wire.ScanOptions{})
		if _, _, _, err := scanner.Scan([]byte(data), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := scanner.End(nil); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED) {
			t.Errorf("raw %q: %v", data, err)
		}
	}
	if _, err := ollama.Chat().DecodeAnswer([]byte(line)); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED) {
		t.Errorf("body: %v", err)
	}
}

func TestStreamProtocol(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		"<html>Bad gateway</html>\n", "[]\n", `{"done":true`, `{"message":{"content":1}}`, `{"message":{"tool_calls":[{"function":{}}]}}`,
		`{"message":{"tool_calls":[{"function":{"name":"f","arguments":7}}]}}`, `{"done":false,"done":true}`,
	} {
		_, err := read(ollama.Chat(), strings.NewReader(data))
		if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL) {
			t.Errorf("%q: %v", data, err)
		}
		if f := fault.From(err); strings.Contains(f.Message, "html") {
			t.Errorf("the provider's words go out: %s", f.Message)
		}
	}
}
