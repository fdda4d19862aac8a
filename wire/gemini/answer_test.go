package gemini_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/gemini"
	"google.golang.org/grpc/codes"
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
	return decoder.End(events)
}

func TestStreamProtocol(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		"<html>", "[]", `{"candidates":[7]}`, `{"candidates":[{"index":-1}]}`, `{"candidates":[{"index":128}]}`, `{"candidates":[{"content":{"parts":["x"]}}]}`,
		`{"candidates":[{"content":{"parts":[{"functionCall":{"args":{}}}]}}]}`,
	} {
		events, err := read(gemini.Generate(), strings.NewReader("data: "+data+"\n\n"))
		if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL) {
			t.Errorf("%q: %v", data, err)
		}
		lawful(t, events, false)
		if _, err := gemini.Generate().DecodeAnswer([]byte(data)); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL) {
			t.Errorf("whole %q: %v", data, err)
		}
	}
	for _, body := range []string{``, `{}`, `{"candidates":[]}`, `{"candidates":[{"content":{"parts":[{"text":"half"}]}}]}`} {
		if _, err := gemini.Generate().DecodeAnswer([]byte(body)); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// Ids that the mesh makes up are the same each time, differ between calls and
// answers, and are fit for every other dialect.
func TestInventedIDs(t *testing.T) {
	t.Parallel()
	ids := func(answer string) (out []string) {
		body := `{"responseId":"` + answer + `","candidates":[{"finishReason":"STOP","content":{"parts":[{"functionCall":{"name":"f"}},{"functionCall":{"name":"f"}}]}}]}`
		events, err := gemini.Generate().DecodeAnswer([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.GetToolCall() != nil {
				out = append(out, e.GetToolCall().GetId())
			}
		}
		return out
	}
	a, again, b := ids("a"), ids("a"), ids("b")
	if len(a) != 2 || a[0] == a[1] || a[0] != again[0] || a[0] == b[0] || len(a[0]) > 40 {
		t.Errorf("%q %q %q", a, again, b)
	}
}

// Calls whose arguments come mixed are sent whole, in their order, and what was
// said behind them waits.
func TestMixedCallsAreSentWhole(t *testing.T) {
	t.Parallel()
	call := func(index int32, id, name, args string) *conversationv1.Event {
		return &conversationv1.Event{Kind: &conversationv1.Event_ToolCall{ToolCall: &conversationv1.ToolCallDelta{Index: index, Id: id, Name: name, ArgumentsJson: args}}}
	}
	events := []*conversationv1.Event{
		{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{}}},
		call(0, "a", "f", `{"x":`), call(1, "b", "g", `{`), call(0, "", "", "1}"),
		{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Text: "so"}}},
		call(1, "", "", "}"), call(0, "", "", " "),
		{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{Reason: conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS}}},
		{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}},
	}
	out, err := gemini.Generate().NewStreamEncoder(wire.AnswerOptions{ID: "r", Model: "m"}).Encode(nil, events)
	if err != nil {
		t.Fatal(err)
	}
	at := -1
	for _, want := range []string{`"args":{"x":1}`, `"name":"g"`, `"text":"so"`, `"finishReason":"STOP"`} {
		next := bytes.Index(out, []byte(want))
		if next <= at {
			t.Errorf("%s stands at %d, after %d\n%s", want, next, at, out)
		}
		at = next
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err    error
		status int
		word   string
	}{
		{fault.InvalidField("contents", "must be set"), 400, "INVALID_ARGUMENT"},
		{fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_RATE_LIMITED, "slow"), 429, "RESOURCE_EXHAUSTED"},
		{fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "x"), 502, "UNAVAILABLE"},
		{fault.New(codes.Canceled, meshv1.ErrorReason_ERROR_REASON_CANCELLED, "x"), 499, "CANCELLED"},
		{nil, 500, "INTERNAL"},
	} {
		status, body := gemini.Error(tt.err)
		if status != tt.status || !strings.Contains(string(body), `"status":"`+tt.word+`"`) {
			t.Errorf("%v: %d %s", tt.err, status, body)
		}
	}
}
