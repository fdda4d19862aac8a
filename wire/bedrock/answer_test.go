package bedrock_test

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
	"github.com/gptmesh/gptmesh/wire/bedrock"
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
	return decoder.End(events)
}

func TestStreamProtocol(t *testing.T) {
	t.Parallel()
	const start = `{"messageStart":{"role":"assistant"}}` + "\n"
	for _, data := range []string{
		"<html>\n", "[]\n", "{}\n", `{"messageStart":1}` + "\n", start + start, `{"messageStop":{"stopReason":"end_turn"}}` + "\n",
		start + `{"contentBlockStart":{"start":{"toolUse":{"name":"f"}}}}` + "\n",
		start + strings.Repeat(`{"contentBlockStart":{"contentBlockIndex":1,"start":{"toolUse":{"name":"f","toolUseId":"a"}}}}`+"\n", 2),
		start + `{"contentBlockDelta":{"delta":{"toolUse":{"input":"{"}}}}` + "\n",
		start + `{"contentBlockDelta":{}}` + "\n",
	} {
		events, err := read(bedrock.Converse(), strings.NewReader(data))
		if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL) {
			t.Errorf("%q: %v", data, err)
		}
		lawful(t, events, false)
	}
	for _, body := range []string{``, `[]`, `{}`, `{"output":{"message":{}}}`, `{"output":{"message":{"content":[]}}}`,
		`{"output":{"message":{"content":[7]}},"stopReason":"end_turn"}`, `{"output":{"message":{"content":[{"toolUse":{"name":"f"}}]}},"stopReason":"end_turn"}`} {
		if _, err := bedrock.Converse().DecodeAnswer([]byte(body)); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// Each exception has the reason of its kind, and none shows the provider's words.
func TestExceptions(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]meshv1.ErrorReason{
		"throttlingException":         meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED,
		"validationException":         meshv1.ErrorReason_ERROR_REASON_PROVIDER_REJECTED,
		"accessDeniedException":       meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY,
		"serviceUnavailableException": meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR,
		"internalServerException":     meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR,
		"aNewException":               meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR,
	} {
		events, err := read(bedrock.Converse(), strings.NewReader(`{"messageStart":{}}`+"\n"+`{"`+name+`":{"message":"secret"}}`+"\n"+`{"contentBlockDelta":{"delta":{"text":"late"}}}`+"\n"))
		if err != nil || len(events) != 2 || events[1].GetFailed().GetReason() != want || strings.Contains(events[1].GetFailed().GetMessage(), "secret") {
			t.Errorf("%s: %v, %v", name, events, err)
		}
	}
}

// Calls whose arguments come mixed are written one behind the other.
func TestMixedCallsAreBlocks(t *testing.T) {
	t.Parallel()
	call := func(index int32, id, name, args string) *conversationv1.Event {
		return &conversationv1.Event{Kind: &conversationv1.Event_ToolCall{ToolCall: &conversationv1.ToolCallDelta{Index: index, Id: id, Name: name, ArgumentsJson: args}}}
	}
	events := []*conversationv1.Event{
		{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{}}},
		call(0, "a", "f", `{"x":`), call(1, "b", "g", `{`), call(0, "", "", "1}"), call(1, "", "", "}"),
		{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{Reason: conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS}}},
		{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}},
	}
	out, err := bedrock.Converse().NewStreamEncoder(wire.AnswerOptions{}).Encode(nil, events)
	if err != nil {
		t.Fatal(err)
	}
	at := -1
	for _, want := range []string{`"toolUseId":"a"`, `"input":"1}"`, `{"contentBlockStop":{"contentBlockIndex":0}}`, `"toolUseId":"b"`, `"stopReason":"tool_use"`, `"metadata"`} {
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
		{fault.InvalidField("messages", "must be set"), 400, "ValidationException"},
		{fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_RATE_LIMITED, "slow"), 429, "ThrottlingException"},
		{fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "x"), 424, "ModelErrorException"},
		{fault.New(codes.PermissionDenied, meshv1.ErrorReason_ERROR_REASON_PERMISSION_DENIED, "x"), 403, "AccessDeniedException"},
		{nil, 500, "InternalServerException"},
	} {
		status, exception, body := bedrock.Error(tt.err)
		if status != tt.status || exception != tt.word || !bytes.HasPrefix(body, []byte(`{"message":`)) {
			t.Errorf("%v: %d %s %s", tt.err, status, exception, body)
		}
	}
}
