package wire_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
)

func textPart(s string) *conversationv1.ContentPart {
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Text{Text: s}}
}

func reasoningPart(s, signature, redacted string) *conversationv1.ContentPart {
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Reasoning{Reasoning: &conversationv1.Reasoning{
		Text: s, Signature: signature, Redacted: redacted,
	}}}
}

func callPart(id, name, arguments string) *conversationv1.ContentPart {
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_ToolCall{ToolCall: &conversationv1.ToolCall{
		Id: id, Name: name, ArgumentsJson: arguments,
	}}}
}

func TestAssembler(t *testing.T) {
	t.Parallel()
	var a wire.Assembler
	token := &conversationv1.TokenLogprob{Token: "wor", Logprob: -0.5, Top: []*conversationv1.TokenLogprob{{Token: "x", Logprob: -2}}}
	withLogprobs := text(0, "world")
	withLogprobs.GetText().Logprobs = []*conversationv1.TokenLogprob{token}
	for _, event := range []*conversationv1.Event{
		started(),
		reasoning(0, "let ", "", ""), reasoning(0, "me", "", ""), reasoning(0, "", "sig", ""),
		reasoning(0, "again", "", ""), reasoning(0, "", "", "secret"),
		text(0, "Hello "), withLogprobs, text(0, ""),
		toolCall(0, 0, "a", "f", ""), toolCall(0, 1, "b", "g", `{"x":`), toolCall(0, 0, "", "", `{}`), toolCall(0, 1, "", "", `1}`),
		text(0, "!"), text(0, "?"),
		refusal(2, "I "), refusal(2, "won't"),
		choiceFinished(0), choiceFinished(2), usage(1, 2), usage(1, 3), finished(),
	} {
		if err := a.Add(event); err != nil {
			t.Fatal(err)
		}
	}
	want := &wire.Answer{
		Started: &conversationv1.Started{Model: "m"},
		Choices: []wire.Choice{
			{Index: 0, FinishReason: conversationv1.FinishReason_FINISH_REASON_STOP, Logprobs: []*conversationv1.TokenLogprob{token}, RefusalLogprobs: nil,
				Message: &conversationv1.Message{Role: conversationv1.Role_ROLE_ASSISTANT, Parts: []*conversationv1.ContentPart{
					reasoningPart("let me", "sig", ""), reasoningPart("again", "", ""), reasoningPart("", "", "secret"),
					textPart("Hello world"), callPart("a", "f", "{}"), callPart("b", "g", `{"x":1}`), textPart("!?"),
				}}},
			{Index: 2, FinishReason: conversationv1.FinishReason_FINISH_REASON_STOP,
				Message: &conversationv1.Message{Role: conversationv1.Role_ROLE_ASSISTANT, Parts: []*conversationv1.ContentPart{
					{Kind: &conversationv1.ContentPart_Refusal{Refusal: "I won't"}},
				}}},
		},
		Usage: &conversationv1.Usage{InputTokens: 1, OutputTokens: 3}, Finished: true,
	}
	if diff := cmp.Diff(want, a.Answer(), protocmp.Transform()); diff != "" {
		t.Fatal(diff)
	}
}

func TestAssemblerIsBounded(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]*conversationv1.Event{
		"text": text(0, strings.Repeat("a", 100)), "refusal": refusal(0, "aaaa"), "reasoning": reasoning(0, "a", "", ""),
		"signature": reasoning(0, "", "aaaa", ""), "redacted": reasoning(0, "", "", "a"), "tool calls": toolCall(0, 0, "", "", "aaaa"),
		"logprobs": {Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Logprobs: []*conversationv1.TokenLogprob{{}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := wire.Assembler{MaxBytes: 1000}
			for range 1000 {
				if err := a.Add(event); err != nil {
					if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE) || fault.From(err).Metadata["limit_bytes"] != "1000" {
						t.Fatal(err)
					}
					return
				}
			}
			t.Fatal("grew without end")
		})
	}
}

func TestAssemblerRefusesWildChoices(t *testing.T) {
	t.Parallel()
	for _, choice := range []int32{-1, wire.MaxChoices, 1 << 30} {
		if err := (&wire.Assembler{}).Add(text(choice, "a")); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL) {
			t.Fatalf("choice %d: %v", choice, err)
		}
	}
}

func TestAnswerDoesNotChangeLater(t *testing.T) {
	t.Parallel()
	var a wire.Assembler
	if err := a.Add(started(), text(0, "a")); err != nil {
		t.Fatal(err)
	}
	early := a.Answer()
	if err := a.Add(text(0, "b"), text(1, "c"), finished()); err != nil {
		t.Fatal(err)
	}
	if got := early.Choices[0].Message.GetParts()[0].GetText(); got != "a" || len(early.Choices) != 1 || early.Finished {
		t.Fatalf("have %+v", early)
	}
}

// TestEventsOf holds that an answer taken apart is legal and assembles to the
// same answer.
func TestEventsOf(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 600 {
		var grammar wire.Grammar
		var a wire.Assembler
		for i := range 40 {
			event := randomEvent(random.Uint32())
			if i == 0 {
				event = started()
			}
			if i < 39 && wire.Terminal(event) && random.IntN(4) > 0 {
				continue
			}
			if grammar.Accept(event) != nil {
				continue
			}
			if err := a.Add(event); err != nil {
				t.Fatal(err)
			}
		}
		want := a.Answer()
		var again wire.Assembler
		var check wire.Grammar
		for _, event := range wire.EventsOf(want) {
			if err := check.Accept(event); err != nil {
				t.Fatal(err)
			}
			if err := again.Add(event); err != nil {
				t.Fatal(err)
			}
		}
		if check.Ended() != (want.Finished || want.Failure != nil) {
			t.Fatal("the terminal event is wrong")
		}
		// Empty deltas leave a choice without parts, which only its end or a
		// part can bring back.
		want.Choices = withContent(want.Choices)
		got := again.Answer()
		got.Choices = withContent(got.Choices)
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Fatal(diff)
		}
	}
}

func withContent(choices []wire.Choice) []wire.Choice {
	var kept []wire.Choice
	for _, c := range choices {
		if len(c.Message.GetParts()) > 0 {
			kept = append(kept, c)
		}
	}
	return kept
}

func TestEventsOfMendsToolCalls(t *testing.T) {
	t.Parallel()
	answer := &wire.Answer{Finished: true, Choices: []wire.Choice{{Message: &conversationv1.Message{Parts: []*conversationv1.ContentPart{
		callPart("", "f", "{}"), callPart("x", "", "{}"), callPart("", "g", "{}"),
		{Kind: &conversationv1.ContentPart_Image{Image: &conversationv1.Image{Url: "u"}}},
	}}}}}
	want := []*conversationv1.Event{
		{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{}}},
		toolCall(0, 0, "call_0_0", "f", "{}"), toolCall(0, 1, "call_0_1", "g", "{}"),
		{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{}}},
		finished(),
	}
	if diff := cmp.Diff(want, wire.EventsOf(answer), protocmp.Transform()); diff != "" {
		t.Fatal(diff)
	}
}
