package responses_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/responses"
	"github.com/gptmesh/gptmesh/wire/wiretest"
)

// patching are the answers of models that were shown a function in a custom
// tool's place, as they come: in pieces, spaced, and not always as asked.
var patching = []*conversationv1.Event{
	started(),
	called(0, "call_1", "patch", ""),
	called(0, "", "", "{\n  \"inp"), called(0, "", "", "ut\": \"*** Begin\\"), called(0, "", "", "n+\\\"é\\\" \\ud83d"),
	called(0, "", "", "\\ude00"), called(0, "", "", "\\n*** End\"}"),
	called(1, "call_2", "patch", `{"patch":"other `), called(1, "", "", `member"}`),
	called(2, "call_3", "look", `{"input":"stays"}`),
	called(3, "call_4", "patch", `{"input":"cu`),
	ended(stop), finished(),
}

func TestCustomToolsOfOtherProviders(t *testing.T) {
	t.Parallel()
	echo, err := responses.EchoOf([]byte(`{"model":"m","input":"x","tools":[{"type":"custom","name":"patch"},{"type":"function","name":"look"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	codec := responses.With(echo, -1)
	stream, err := codec.NewStreamEncoder(wiretest.Options()).Encode(nil, patching)
	if err != nil {
		t.Fatal(err)
	}
	checkOrder(t, stream)
	wiretest.Golden(t, "testdata/custom_tool_function.golden", string(stream), *update)

	whole, err := codec.EncodeAnswer(wiretest.Assemble(t, patching), wiretest.Options())
	if err != nil {
		t.Fatal(err)
	}
	type item struct{ Type, Name, Input, Arguments string }
	var answer struct{ Output []item }
	if err := json.Unmarshal(whole, &answer); err != nil {
		t.Fatal(err)
	}
	want := []item{
		{"custom_tool_call", "patch", "*** Begin\n+\"é\" 😀\n*** End", ""},
		{"custom_tool_call", "patch", "other member", ""},
		{"function_call", "look", "", `{"input":"stays"}`},
		{"custom_tool_call", "patch", "cu", ""},
	}
	if !slices.Equal(answer.Output, want) {
		t.Errorf("whole: %+v", answer.Output)
	}
}

// What a provider of this dialect says of a custom tool is JSON for the rooms,
// and the client's text again behind them.
func TestCustomToolsOfTheirOwnProviders(t *testing.T) {
	t.Parallel()
	const text = "*** Begin\n+\"é\" 😀\n*** End"
	echo, err := responses.EchoOf([]byte(`{"model":"m","input":"x","tools":[{"type":"custom","name":"patch"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	arguments, err := json.Marshal(map[string]string{"input": text})
	if err != nil {
		t.Fatal(err)
	}
	codec := responses.With(echo, -1)
	sent := []*conversationv1.Event{started(), called(0, "call_1", "patch", string(arguments)), ended(stop), finished()}
	stream, err := codec.NewStreamEncoder(wiretest.Options()).Encode(nil, sent)
	if err != nil {
		t.Fatal(err)
	}
	events, _ := wiretest.Decode(t, codec, strings.NewReader(string(stream)))
	body, err := codec.EncodeAnswer(wiretest.Assemble(t, sent), wiretest.Options())
	if err != nil {
		t.Fatal(err)
	}
	whole, err := codec.DecodeAnswer(body)
	if err != nil {
		t.Fatal(err)
	}
	for how, events := range map[string][]*conversationv1.Event{"streamed": events, "whole": whole} {
		got := ""
		for _, event := range events {
			got += event.GetToolCall().GetArgumentsJson()
		}
		var decoded struct{ Input string }
		if err := json.Unmarshal([]byte(got), &decoded); err != nil || decoded.Input != text {
			t.Errorf("%s: %s, %v", how, got, err)
		}
		again, err := codec.NewStreamEncoder(wiretest.Options()).Encode(nil, events)
		if err != nil || !strings.Contains(string(again), `"input":"*** Begin\n+\"é\" 😀\n*** End"`) {
			t.Errorf("%s, for the client: %s, %v", how, again, err)
		}
	}
}

func TestCustomToolsNeedNames(t *testing.T) {
	t.Parallel()
	_, err := responses.Codec().DecodeTurn([]byte(`{"model":"m","input":"x","tools":[{"type":"custom","description":"d"}]}`))
	if err == nil || !strings.Contains(err.Error(), "tools[0].name") {
		t.Error(err)
	}
}
