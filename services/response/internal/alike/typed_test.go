package alike

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func textEvent(choice int32, text string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Choice: choice, Text: text}}}
}

func thoughtEvent(choice int32, text string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{Reasoning: &conversationv1.ReasoningDelta{Choice: choice, Text: text}}}
}

func refusalEvent(choice int32, text string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Refusal{Refusal: &conversationv1.TextDelta{Choice: choice, Text: text}}}
}

// typedChunk is one of events, and its frame.
func typedChunk(t testing.TB, sequence int64, events ...*conversationv1.Event) (c Typed, frame []byte) {
	t.Helper()
	entry, err := proto.Marshal(&conversationv1.Chunk{Sequence: sequence, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return Typed{Sequence: uint64(sequence), Events: events, Size: len(entry)}, protowire.AppendBytes(nil, entry)
}

// Typed texts are kept as they are and read as the chunks that they came in.
func TestTyped(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]func(int32, string) *conversationv1.Event{"text": textEvent, "reasoning": thoughtEvent, "refusal": refusalEvent} {
		for _, choice := range []int32{0, 1, 127} {
			var texts Texts
			var frames, all []byte
			var each [][]byte
			for i, words := range [][]string{{"a"}, {"", "b\\n\"", "日本"}, {""}, {strings.Repeat("long ", 300), strings.Repeat("x", 127)}, {"é"}, {"1", "2"}} {
				var events []*conversationv1.Event
				for _, word := range words {
					events, all = append(events, event(choice, word)), append(all, word...)
				}
				c, frame := typedChunk(t, int64(126+i), events...)
				if !texts.AddTyped(c, grow) {
					t.Fatalf("%s: chunk %d is not taken", name, i)
				}
				frames, each = append(frames, frame...), append(each, frame)
			}
			if texts.Size() != len(frames) || !texts.Typed() {
				t.Errorf("%s: %d bytes, want %d", name, texts.Size(), len(frames))
			}
			for from := range each {
				got, count := texts.AppendFrom([]byte("lead"), from, 1)
				if count != 1 || string(got) != "lead"+string(each[from]) {
					t.Errorf("%s: chunk %d: %d, %q, want %q", name, from, count, got, each[from])
				}
			}
			size := texts.RunSize()
			run := texts.AppendTo(nil, func([]byte) {})
			before, after, got, err := Strings(run)
			if len(run) != size || err != nil || len(before)+len(after) > 0 || !bytes.Equal(got, all) {
				t.Errorf("%s: %q %q %q, %v", name, before, after, got, err)
			}
			if got, err := Parse(nil, run); err != nil || !bytes.Equal(got, frames) {
				t.Errorf("%s: %v: %q\nwant %q", name, err, got, frames)
			}
			for cut := range run {
				if got, err := Parse(nil, run[:cut]); err == nil && cut > 2 {
					t.Errorf("%s: %d bytes of %d are read: %q", name, cut, len(run), got)
				}
			}
		}
	}
}

// Typed runs are read as this release stores them.
func TestStoredTyped(t *testing.T) {
	t.Parallel()
	var texts Texts
	one, frame := typedChunk(t, 2, textEvent(0, "Hello"))
	two, more := typedChunk(t, 3, textEvent(0, ", "), textEvent(0, "world"))
	if !texts.AddTyped(one, grow) || !texts.AddTyped(two, grow) {
		t.Fatal("not taken")
	}
	const want = "0000240000020200040a05020548656c6c6f2c20776f726c64"
	if got := hex.EncodeToString(texts.AppendRun(nil)); got != want {
		t.Errorf("stored as %s", got)
	}
	run, err := hex.DecodeString(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Parse(nil, run); err != nil || !bytes.Equal(got, slices.Concat(frame, more)) {
		t.Errorf("%v: %q", err, got)
	}
}

// What does more than to add text to the same choice in the same way is not taken.
func TestTypedOfAnotherKind(t *testing.T) {
	t.Parallel()
	scored := textEvent(0, "a")
	scored.GetText().Logprobs = []*conversationv1.TokenLogprob{{Token: "a"}}
	signed := thoughtEvent(0, "a")
	signed.GetReasoning().Signature = "s"
	unknown := textEvent(0, "a")
	unknown.GetText().ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1))
	ended := &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}}
	for name, events := range map[string][]*conversationv1.Event{
		"no event": nil, "log probabilities": {scored}, "signature": {signed}, "unknown field": {unknown}, "end": {ended},
		"two choices": {textEvent(0, "a"), textEvent(1, "a")}, "two kinds": {textEvent(0, "a"), refusalEvent(0, "a")},
		"end behind": {textEvent(0, "a"), ended}, "no choice": {textEvent(128, "a")}, "negative": {textEvent(-1, "a")},
	} {
		var texts Texts
		c, _ := typedChunk(t, 1, events...)
		if texts.AddTyped(c, grow) || texts.Len() > 0 {
			t.Errorf("%s: taken", name)
		}
	}
	var texts Texts
	usual, _ := typedChunk(t, 5, textEvent(1, "a"))
	if !texts.AddTyped(usual, grow) {
		t.Fatal("not taken")
	}
	for name, event := range map[string]*conversationv1.Event{"kind": refusalEvent(1, "a"), "choice": textEvent(0, "a")} {
		if c, _ := typedChunk(t, 6, event); texts.AddTyped(c, grow) {
			t.Errorf("another %s is taken", name)
		}
	}
	if c, _ := typedChunk(t, 7, textEvent(1, "a")); texts.AddTyped(c, grow) {
		t.Error("taken, though one is left out")
	}
	invalid := Typed{Sequence: 6, Events: []*conversationv1.Event{textEvent(1, "\xff")}}
	if invalid.Size = 11; texts.AddTyped(invalid, grow) {
		t.Error("taken, though it is no text")
	}
	if c := textChunk(5); texts.Add(c, grow) {
		t.Error("a raw chunk is taken")
	}
	if texts.Len() != 1 || TypedLead([]*conversationv1.Event{textEvent(0, "a"), textEvent(0, "b"), textEvent(1, "a")}) != 2 || TypedLead(nil) != 0 {
		t.Error("the lead is another")
	}
}

// FuzzTyped: whatever the texts are, their chunks come back.
func FuzzTyped(f *testing.F) {
	f.Add("a\x00b\x00\x00c", uint8(3), int32(0), int64(1))
	f.Add(strings.Repeat("é\x00", 40), uint8(9), int32(127), int64(1<<40))
	f.Fuzz(func(t *testing.T, words string, kind uint8, choice int32, sequence int64) {
		make := [...]func(int32, string) *conversationv1.Event{textEvent, thoughtEvent, refusalEvent}[kind%3]
		var texts Texts
		var events []*conversationv1.Event
		var frames []byte
		for i, word := range strings.Split(words, "\x00") {
			if events = append(events, make(choice, word)); i%int(kind/3%8+1) > 0 {
				continue
			}
			entry, err := proto.Marshal(&conversationv1.Chunk{Sequence: sequence, Events: events})
			if err != nil || !texts.AddTyped(Typed{Sequence: uint64(sequence), Events: events, Size: len(entry)}, grow) {
				return
			}
			frames, events, sequence = protowire.AppendBytes(frames, entry), nil, sequence+1
		}
		if texts.Len() == 0 {
			return
		}
		if got, err := Parse(nil, texts.AppendTo(nil, func([]byte) {})); err != nil || !bytes.Equal(got, frames) {
			t.Fatalf("%v: %q\nwant %q", err, got, frames)
		}
	})
}
