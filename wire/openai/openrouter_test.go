package openai_test

import (
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/openai"
)

// TestReasoningMembers holds in which members clients of other servers get thoughts, and
// that a signature stands beside pieces without saying their text once more.
func TestReasoningMembers(t *testing.T) {
	t.Parallel()
	think := func(d *conversationv1.ReasoningDelta) *conversationv1.Event {
		return &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{Reasoning: d}}
	}
	events := []*conversationv1.Event{
		started(&conversationv1.Started{Model: "m"}), think(&conversationv1.ReasoningDelta{Text: "h"}), think(&conversationv1.ReasoningDelta{Text: "m"}),
		think(&conversationv1.ReasoningDelta{Signature: "s"}), ended(conversationv1.FinishReason_FINISH_REASON_STOP), finished(),
	}
	for name, test := range map[string]struct {
		options wire.AnswerOptions
		want    []string
	}{
		"none": {want: []string{
			`{"reasoning_content":"h"}`, `{"reasoning_content":"m"}`, `{"reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"s","index":0}]}`,
		}},
		"reasoning": {options: wire.AnswerOptions{Reasoning: true}, want: []string{
			`{"reasoning_content":"h","reasoning":"h"}`, `{"reasoning_content":"m","reasoning":"m"}`,
			`{"reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"s","index":0}]}`,
		}},
		"OpenRouter": {options: wire.AnswerOptions{Reasoning: true, OpenRouter: true}, want: []string{
			`{"reasoning_content":"h","reasoning":"h","reasoning_details":[{"type":"reasoning.text","text":"h","index":0}]}`,
			`{"reasoning_content":"m","reasoning":"m","reasoning_details":[{"type":"reasoning.text","text":"m","index":0}]}`,
			`{"reasoning_details":[{"type":"reasoning.text","signature":"s","index":0}]}`,
		}},
	} {
		rest := stream(t, test.options, events...)
		for _, delta := range test.want {
			_, after, found := strings.Cut(rest, `"delta":`+delta)
			if !found {
				t.Fatalf("%s: %s is not in %s", name, delta, rest)
			}
			rest = after
		}
	}
}

// TestGroqUsage holds that usage in x_groq comes without asking, and OpenAI's beside it
// where it was asked for.
func TestGroqUsage(t *testing.T) {
	t.Parallel()
	events := []*conversationv1.Event{
		started(&conversationv1.Started{Model: "m"}), said("a"), ended(conversationv1.FinishReason_FINISH_REASON_STOP),
		used(&conversationv1.Usage{InputTokens: 2, OutputTokens: 3}), finished(),
	}
	for _, asked := range []bool{false, true} {
		got := stream(t, wire.AnswerOptions{GroqUsage: true, IncludeUsage: asked}, events...)
		if !strings.Contains(got, `"finish_reason":"stop"}],"x_groq":{"usage":{"prompt_tokens":2,"completion_tokens":3,`) {
			t.Errorf("usage is not beside the end: %s", got)
		}
		if own := strings.Contains(got, `"choices":[],"usage":{`); own != asked {
			t.Errorf("a chunk of usage is there: %v", own)
		}
	}
}

// TestAddReasoning holds what a provider's own body becomes.
func TestAddReasoning(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"choices":[{"message":{"reasoning_content":"h\"m","content":"a"}},{"message":{"reasoning_content":"x"}}],"x":1}`: `{"choices":[{"message":{"reasoning_content":"h\"m","reasoning":"h\"m","content":"a"}},{"message":{"reasoning_content":"x","reasoning":"x"}}],"x":1}`,
		`{"choices":[{"message":{"reasoning_content":"a","reasoning":"b"}}]}`:                                              "",
		`{"choices":[{"message":{"reasoning_content":null}}]}`:                                                             "",
		`{"choices":{"reasoning_content":"a"}}`:                                                                            "",
		`{"choices":[1,{"message":"reasoning_content"}]}`:                                                                  "",
		`{"reasoning_content"`: "",
	} {
		if want == "" {
			want = body
		}
		if got := string(openai.AddReasoning(nil, []byte(body))); got != want {
			t.Errorf("%s becomes %s", body, got)
		}
	}
}
