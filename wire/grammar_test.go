package wire_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
)

func started() *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{Model: "m"}}}
}

func text(choice int32, s string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Choice: choice, Text: s}}}
}

func refusal(choice int32, s string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Refusal{Refusal: &conversationv1.TextDelta{Choice: choice, Text: s}}}
}

func reasoning(choice int32, s, signature, redacted string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{Reasoning: &conversationv1.ReasoningDelta{
		Choice: choice, Text: s, Signature: signature, Redacted: redacted,
	}}}
}

func toolCall(choice, index int32, id, name, arguments string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ToolCall{ToolCall: &conversationv1.ToolCallDelta{
		Choice: choice, Index: index, Id: id, Name: name, ArgumentsJson: arguments,
	}}}
}

func choiceFinished(choice int32) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{
		Choice: choice, Reason: conversationv1.FinishReason_FINISH_REASON_STOP,
	}}}
}

func usage(in, out int64) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: &conversationv1.Usage{InputTokens: in, OutputTokens: out}}}
}

func finished() *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}}
}

func failed() *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: &conversationv1.Failure{Code: 14}}}
}

func TestGrammar(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		events []*conversationv1.Event
		rule   string // of the refusal of the last event; "" where all is legal
	}{
		{"a plain answer", []*conversationv1.Event{started(), text(0, "a"), text(0, "b"), choiceFinished(0), usage(1, 2), finished()}, ""},
		{"an empty answer", []*conversationv1.Event{started(), finished()}, ""},
		{"no deltas beside raw data", []*conversationv1.Event{started(), usage(1, 2), usage(1, 3), finished()}, ""},
		{"choices side by side", []*conversationv1.Event{started(), text(2, "a"), text(0, "b"), choiceFinished(2), text(0, "c"), choiceFinished(0), finished()}, ""},
		{"interleaved tool calls", []*conversationv1.Event{started(), toolCall(0, 0, "a", "f", ""), toolCall(0, 1, "b", "f", "{"), toolCall(0, 0, "", "", "{}"), toolCall(0, 1, "", "", "}"), finished()}, ""},
		{"usage after failing choices", []*conversationv1.Event{started(), text(0, "a"), usage(1, 1), failed()}, ""},
		{"delta first", []*conversationv1.Event{text(0, "a")}, "before the start"},
		{"end first", []*conversationv1.Event{finished()}, "before the start"},
		{"two starts", []*conversationv1.Event{started(), started()}, "second start"},
		{"two ends", []*conversationv1.Event{started(), finished(), failed()}, "after the end"},
		{"start after the end", []*conversationv1.Event{started(), failed(), started()}, "after the end"},
		{"delta after the end", []*conversationv1.Event{started(), finished(), text(0, "a")}, "after the end"},
		{"delta after its choice's end", []*conversationv1.Event{started(), choiceFinished(1), refusal(1, "a")}, "after its end"},
		{"a choice ends twice", []*conversationv1.Event{started(), choiceFinished(0), choiceFinished(0)}, "after its end"},
		{"tool index jumps", []*conversationv1.Event{started(), toolCall(0, 1, "a", "f", "")}, "where 0 is next"},
		{"tool index below 0", []*conversationv1.Event{started(), toolCall(0, -1, "a", "f", "")}, "where 0 is next"},
		{"tool call without id", []*conversationv1.Event{started(), toolCall(0, 0, "", "f", "")}, "without id and name"},
		{"tool call without name", []*conversationv1.Event{started(), toolCall(0, 0, "a", "", "")}, "without id and name"},
		{"id repeated", []*conversationv1.Event{started(), toolCall(0, 0, "a", "f", ""), toolCall(0, 0, "a", "", "{}")}, "twice"},
		{"a choice too many", []*conversationv1.Event{started(), text(wire.MaxChoices, "a")}, "choice 128"},
		{"a choice below 0", []*conversationv1.Event{started(), text(-1, "a")}, "choice -1"},
		{"nothing", []*conversationv1.Event{started(), {}}, "no known kind"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var grammar wire.Grammar
			for i, event := range test.events {
				err := grammar.Accept(event)
				if i < len(test.events)-1 || test.rule == "" {
					if err != nil {
						t.Fatalf("event %d: %v", i, err)
					}
					continue
				}
				if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL) || !strings.Contains(err.Error(), test.rule) {
					t.Fatalf("have %v, want a refusal for %q", err, test.rule)
				}
			}
		})
	}
}

// legal is the grammar once more, naively, over all events at once.
func legal(events []*conversationv1.Event) bool {
	done := map[int32]bool{}
	calls := map[int32]map[int32]bool{}
	for i, event := range events {
		if (event.GetStarted() != nil) != (i == 0) || event.GetKind() == nil {
			return false
		}
		if wire.Terminal(event) && i != len(events)-1 {
			return false
		}
		choice, isDelta := int32(0), true
		switch kind := event.GetKind().(type) {
		case *conversationv1.Event_Text:
			choice = kind.Text.GetChoice()
		case *conversationv1.Event_Refusal:
			choice = kind.Refusal.GetChoice()
		case *conversationv1.Event_Reasoning:
			choice = kind.Reasoning.GetChoice()
		case *conversationv1.Event_ChoiceFinished:
			choice = kind.ChoiceFinished.GetChoice()
		case *conversationv1.Event_ToolCall:
			choice = kind.ToolCall.GetChoice()
			call := kind.ToolCall
			if calls[choice] == nil {
				calls[choice] = map[int32]bool{}
			}
			known := calls[choice][call.GetIndex()]
			if known && call.GetId()+call.GetName() != "" || !known && (call.GetId() == "" || call.GetName() == "") {
				return false
			}
			if !known && int(call.GetIndex()) != len(calls[choice]) {
				return false
			}
			calls[choice][call.GetIndex()] = true
		default:
			isDelta = false
		}
		if isDelta && (done[choice] || choice < 0 || choice >= wire.MaxChoices) {
			return false
		}
		if event.GetChoiceFinished() != nil {
			done[choice] = true
		}
	}
	return true
}

// randomEvent makes any event of the bytes of one number.
func randomEvent(n uint32) *conversationv1.Event {
	choice := int32(n >> 8 & 3)
	index := int32(n >> 12 & 3)
	id, name := "", ""
	if n>>16&1 == 1 {
		id = "call"
	}
	if n>>17&1 == 1 {
		name = "f"
	}
	switch n & 15 {
	case 0:
		return started()
	case 1:
		return finished()
	case 2:
		return failed()
	case 3:
		return choiceFinished(choice)
	case 4:
		return usage(1, int64(index))
	case 5:
		return reasoning(choice, "r", id, name)
	case 6:
		return refusal(choice, "no")
	case 7, 8, 9, 10:
		return toolCall(choice, index, id, name, "{}")
	case 11:
		return text(choice*100-50, "t")
	case 12:
		return &conversationv1.Event{}
	}
	return text(choice, strconv.Itoa(int(index)))
}

func checkSequence(t *testing.T, events []*conversationv1.Event) {
	t.Helper()
	var grammar wire.Grammar
	var accepted []*conversationv1.Event
	for _, event := range events {
		want := legal(append(accepted[:len(accepted):len(accepted)], event))
		err := grammar.Accept(event)
		if want != (err == nil) {
			t.Fatalf("after %v\n%v: have %v, want legal %v", accepted, event, err, want)
		}
		if err == nil {
			accepted = append(accepted, event)
		}
	}
	if err := (&wire.Assembler{}).Add(accepted...); err != nil {
		t.Fatalf("a legal answer cannot be assembled: %v", err)
	}
}

// TestGrammarRandom holds that any sequence is refused or legal as a second,
// naive reading of the rules says.
func TestGrammarRandom(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		events := make([]*conversationv1.Event, random.IntN(24))
		for i := range events {
			events[i] = randomEvent(random.Uint32())
			if i == 0 && random.IntN(8) > 0 {
				events[i] = started()
			}
		}
		checkSequence(t, events)
	}
}

func FuzzGrammar(f *testing.F) {
	f.Add([]byte{0, 0, 0, 13, 0, 0, 3, 0, 0, 1, 0, 0})
	f.Add([]byte{0, 0, 0, 7, 0, 3, 7, 16, 3, 7, 0, 0, 2, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 300 {
			return
		}
		var events []*conversationv1.Event
		for ; len(data) >= 3; data = data[3:] {
			events = append(events, randomEvent(uint32(data[0])|uint32(data[1])<<8|uint32(data[2])<<16))
		}
		checkSequence(t, events)
	})
}

func TestGrammarAllocatesNothing(t *testing.T) {
	events := []*conversationv1.Event{started(), reasoning(0, "r", "", ""), text(0, "a"), toolCall(0, 0, "a", "f", ""), toolCall(0, 0, "", "", "{}"), choiceFinished(0), usage(1, 2), finished()}
	if n := testing.AllocsPerRun(100, func() {
		var grammar wire.Grammar
		for _, event := range events {
			if err := grammar.Accept(event); err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkGrammar(b *testing.B) {
	b.ReportAllocs()
	var grammar wire.Grammar
	if err := grammar.Accept(started()); err != nil {
		b.Fatal(err)
	}
	event := text(0, "a")
	for b.Loop() {
		if err := grammar.Accept(event); err != nil {
			b.Fatal(err)
		}
	}
}
