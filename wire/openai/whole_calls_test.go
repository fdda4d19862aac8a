package openai_test

import (
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
)

func called(index int32, id, name, arguments string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ToolCall{ToolCall: &conversationv1.ToolCallDelta{Index: index, Id: id, Name: name, ArgumentsJson: arguments}}}
}

// TestWholeCalls holds that a client that takes calls in one piece gets each so, in the
// order of their beginnings, however their pieces came, and usage beside the end.
func TestWholeCalls(t *testing.T) {
	t.Parallel()
	events := []*conversationv1.Event{
		started(&conversationv1.Started{Model: "m"}), said("a"), called(0, "x", "f", `{"b":`), called(1, "y", "g", ""), called(0, "", "", "1}"),
		ended(conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS), used(&conversationv1.Usage{InputTokens: 2, OutputTokens: 3}), finished(),
	}
	got := stream(t, wire.AnswerOptions{ID: "i", WholeCalls: true, UsageBeside: true, IncludeUsage: true}, events...)
	const head = `data: {"id":"i","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{`
	lines := strings.Split(strings.TrimSuffix(got, "\n\n"), "\n\n")
	want := []string{
		`"role":"assistant","content":""`, `"content":"a"`,
		`"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":"{\"b\":1}"}}]`,
		`"tool_calls":[{"index":1,"id":"y","type":"function","function":{"name":"g","arguments":""}}]`,
		`},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5,`,
		"data: [DONE]",
	}
	if len(lines) != len(want) {
		t.Fatalf("have %s", got)
	}
	for i, line := range lines {
		_, after, _ := strings.Cut(line, `"delta":{`)
		if line != want[i] && (!strings.HasPrefix(after, want[i]) || !strings.HasSuffix(line, "}")) {
			t.Errorf("chunk %d: have %s\nwant %s%s", i, line, head, want[i])
		}
	}
}

// TestUsageBeside holds that an end waits for nothing that does not come.
func TestUsageBeside(t *testing.T) {
	t.Parallel()
	options := wire.AnswerOptions{UsageBeside: true}
	begin := []*conversationv1.Event{started(&conversationv1.Started{}), said("a"), ended(conversationv1.FinishReason_FINISH_REASON_STOP)}
	if got := stream(t, options, append(begin, finished())...); strings.Contains(got, "usage") || !strings.HasSuffix(got, `"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n") {
		t.Errorf("without usage: %s", got)
	}
	failed := &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: wire.Failure(fault.New(14, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED, "cut"))}}
	if got := stream(t, options, append(begin, failed)...); !strings.Contains(got, `"finish_reason":"stop"}]}`+"\n\ndata: {\"error\":") || strings.Contains(got, "DONE") {
		t.Errorf("with a failure: %s", got)
	}
	second := &conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{Choice: 1, Reason: conversationv1.FinishReason_FINISH_REASON_LENGTH}}}
	got := stream(t, options, append(begin, second, used(&conversationv1.Usage{InputTokens: 2}), finished())...)
	if strings.Count(got, `"usage":`) != 1 || !strings.Contains(got, `"finish_reason":"stop"}]}`) || !strings.Contains(got, `"finish_reason":"length"}],"usage":{`) {
		t.Errorf("two choices: %s", got)
	}
}
