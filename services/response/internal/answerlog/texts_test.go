package answerlog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/services/response/internal/alike"
	"google.golang.org/protobuf/proto"
)

// TestTexts: whatever the events of a stream are, its log has them as they came, read
// from anywhere and stored.
func TestTexts(t *testing.T) {
	t.Parallel()
	texts := []string{"", "a", " word", "1760000000123456789@", `\n`, `say \"no\"`, `\\`, `\\\"`, "naïve", "日本", "\xa9", `\ud83d`, strings.Repeat("long ", 300)}
	shapes := []string{
		"data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"finish_reason\":null}]}\n\n",
		"data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"finish_reason\":\"stop\"}]}\n\n",
		"event: content_block_delta\ndata: {\"type\":\"text_delta\",\"text\":\"%s\"}\n\n",
		"data: {\"created\":1%s,\"x\":\"y\"}\n\n",
		": ping\n\n",
	}
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 7))
		log := New(32 << 20)
		var entries [][]byte
		add := func(c *conversationv1.Chunk) *conversationv1.Chunk {
			entry, err := proto.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, entry)
			return c
		}
		usual, sequence, typed := 3+random.IntN(100), int64(0), 150*int(seed%2)
		for range 150 {
			var data strings.Builder
			shape := shapes[0]
			if random.IntN(usual) == 0 {
				shape = shapes[random.IntN(len(shapes))]
			}
			count := 1
			if random.IntN(usual) == 0 {
				count = random.IntN(80)
			}
			for range count {
				text := texts[random.IntN(6)]
				if random.IntN(usual) == 0 {
					text = texts[random.IntN(len(texts))]
				}
				if strings.Contains(shape, "%") {
					fmt.Fprintf(&data, shape, text)
				} else {
					data.WriteString(shape)
				}
			}
			if sequence++; random.IntN(usual*2) == 0 {
				sequence++
			}
			c := &conversationv1.Chunk{Sequence: sequence, Raw: &conversationv1.RawChunk{
				Wire: conversationv1.Wire_WIRE_OPENAI_CHAT, Form: conversationv1.RawForm_RAW_FORM_SSE, Data: []byte(data.String()), EventCount: int32(count),
			}}
			switch random.IntN(usual * 2) {
			case 0:
				c.Raw.EventCount++
			case 1:
				c.Events = []*conversationv1.Event{{Kind: &conversationv1.Event_Usage{Usage: &conversationv1.Usage{OutputTokens: 3}}}}
			case 2:
				c.Raw.Form = 0
			case 3:
				typed = 1 + random.IntN(40)
			}
			if typed > 0 { // an answer of two providers, such as one that is continued
				typed--
				c.Raw, c.Events = nil, typedEvents(random, texts)
			}
			if err := log.Append(add(c)); err != nil {
				t.Fatal(err)
			}
		}
		check := func() {
			got, err := log.AppendFrames(nil)
			if want := Frames(nil, entries...); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d: %d bytes, want %d, %v", seed, len(got), len(want), err)
			}
			for range 50 {
				first, most := random.IntN(len(entries)), 1+random.IntN(5000)
				got, count, err := log.AppendFrom([]byte("x"), first, most)
				if want := Frames([]byte("x"), entries[first:first+count]...); err != nil || count == 0 || !bytes.Equal(got, want) {
					t.Fatalf("%d from %d: %d chunks, %v", seed, first, count, err)
				}
			}
			var all, without []byte
			err = log.WalkTexts(func(entry []byte) error { without = Frames(without, entry); return nil },
				func(before, after, texts []byte) bool { all = append(all, texts...); return random.IntN(2) == 0 })
			if err != nil || len(without) > len(got)+len(all)+1<<20 {
				t.Fatal(err)
			}
		}
		check()
		end, ok, err := log.End(nil, add(chunk(sequence+1, "data: [DONE]\n\n")))
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			log.Recycle()
			continue
		}
		stored, err := alike.ParseRuns(nil, end.Runs)
		if want := Frames(nil, entries...); err != nil || !bytes.Equal(stored, want) {
			t.Fatalf("%d: stored %d bytes, want %d, %v", seed, len(stored), len(want), err)
		}
		log.SealEnd(end)
		check()
		log.Recycle()
	}
}

// typedEvents are some that add text, as a rule all in one way.
func typedEvents(random *rand.Rand, texts []string) (events []*conversationv1.Event) {
	for range 1 + random.IntN(8)*random.IntN(2) {
		delta := &conversationv1.TextDelta{Text: strings.ToValidUTF8(texts[random.IntN(len(texts))], "")}
		event := &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: delta}}
		switch random.IntN(60) {
		case 0:
			delta.Choice = 1
		case 1:
			event.Kind = &conversationv1.Event_Refusal{Refusal: delta}
		case 2:
			event.Kind = &conversationv1.Event_Reasoning{Reasoning: &conversationv1.ReasoningDelta{Text: delta.GetText(), Signature: "s"}}
		}
		events = append(events, event)
	}
	return events
}

// TestTextsOfTwoShapes: a run of texts follows another one at once, the first chunk's or a
// large one's, too.
func TestTextsOfTwoShapes(t *testing.T) {
	t.Parallel()
	events := func(shape string, from, count int) string {
		var data strings.Builder
		for i := range count {
			fmt.Fprintf(&data, "data: {\"id\":\"%s\",\"text\":\" word%d\"}\n\n", shape, from+i)
		}
		return data.String()
	}
	for _, counts := range [][]int{{40, 2, 3}, {1, 1, 2, 30, 1}, {400, 1, 1, 5}, {2, 2, 2, 2, 2, 2, 2, 2, 2, 2}} {
		log := New(32 << 20)
		var want []byte
		for i, count := range counts {
			for _, shape := range []string{"a", "b"}[:1+i%2] {
				c := chunk(int64(log.Len()+1), events(shape, i*1000, count))
				entry, err := proto.Marshal(c)
				if err != nil {
					t.Fatal(err)
				}
				want = Frames(want, entry)
				if err := log.Append(c); err != nil {
					t.Fatal(err)
				}
				if got, err := log.AppendFrames(nil); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%v at %d: %d bytes, want %d, %v", counts, i, len(got), len(want), err)
				}
				if got, count, err := log.AppendFrom(nil, 0, 1<<20); err != nil || count != log.Len() || !bytes.Equal(got, want) {
					t.Fatalf("%v at %d: %d chunks, %d bytes, want %d, %v", counts, i, count, len(got), len(want), err)
				}
			}
		}
		log.Recycle()
	}
}

// TestTextsAreKeptAlone: of a stream that is one text the log holds little more than that.
func TestTextsAreKeptAlone(t *testing.T) {
	t.Parallel()
	log := New(32 << 20)
	var text strings.Builder
	for i := range 300 {
		word := fmt.Sprintf(" word%d\\n", i)
		if i > 0 {
			text.WriteString(word)
		}
		c := chunk(int64(i+1), fmt.Sprintf("data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"finish_reason\":null}]}\n\n", word))
		if err := log.Append(c); err != nil {
			t.Fatal(err)
		}
	}
	var all []byte
	entries := 0
	if err := log.WalkTexts(func([]byte) error { entries++; return nil }, func(_, _, texts []byte) bool {
		all = append(all, texts...)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if text.String() != string(all) || entries > 1 {
		t.Errorf("%d bytes of %d, %d entries", len(all), text.Len(), entries)
	}
	end, ok, err := log.End(nil, chunk(301, "data: [DONE]\n\n"))
	if err != nil || !ok || len(end.Runs) > text.Len()+300+1000 {
		t.Errorf("%d bytes stored of a text of %d, %v %v", len(end.Runs), text.Len(), ok, err)
	}
}

// TestTypedTextsAreKeptAlone: of a typed stream that is one text the log holds little more than
// that, and tells where it stands.
func TestTypedTextsAreKeptAlone(t *testing.T) {
	t.Parallel()
	log := New(32 << 20)
	var text strings.Builder
	add := func(sequence int64, events ...*conversationv1.Event) {
		if err := log.Append(&conversationv1.Chunk{Sequence: sequence, Events: events}); err != nil {
			t.Fatal(err)
		}
	}
	add(1, &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{Model: "m"}}})
	for i := range 300 {
		word := fmt.Sprintf(" word%d\\n", i)
		text.WriteString(word)
		add(int64(i+2), &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Text: word}}})
	}
	end, ok, err := log.End(nil, &conversationv1.Chunk{Sequence: 302, Events: []*conversationv1.Event{
		{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}},
	}})
	if err != nil || !ok || len(end.Runs) > text.Len()+300+100 || !end.Verbatim {
		t.Fatalf("%d bytes stored of a text of %d, %v %v", len(end.Runs), text.Len(), ok, err)
	}
	if got := string(end.Runs[end.Texts:end.TextsEnd]); got != text.String() {
		t.Errorf("%q", got)
	}
	log.SealEnd(end)
	log.Recycle()
}

// BenchmarkAppendTyped is what a stream of typed events costs that come in two pieces, with what
// it is stored as.
func BenchmarkAppendTyped(b *testing.B) {
	var pieces [2]conversationv1.Chunk
	for i := range 200 {
		c := &pieces[min(i/8, 1)]
		c.Sequence = int64(1 + min(i/8, 1))
		c.Events = append(c.Events, &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{
			Text: fmt.Sprintf("%d@", 1760000000000000000+i*1000),
		}}})
	}
	terminal := &conversationv1.Chunk{Sequence: 3, Events: []*conversationv1.Event{{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}}}}
	var room []byte
	b.ReportAllocs()
	for b.Loop() {
		log := New(1 << 20)
		if log.Append(&pieces[0]) != nil || log.Append(&pieces[1]) != nil {
			b.Fatal("not appended")
		}
		end, ok, err := log.End(room[:0], terminal)
		if !ok || err != nil {
			b.Fatal("not stored")
		}
		room = end.Runs
		log.Recycle()
	}
}

// BenchmarkAppendBurst is what a stream costs whose events come in two pieces.
func BenchmarkAppendBurst(b *testing.B) {
	var events [2]strings.Builder
	for i := range 200 {
		fmt.Fprintf(&events[min(i/8, 1)], "data: {\"id\":\"chatcmpl-123456789\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%d@\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n", 1760000000000000000+i*1000)
	}
	first, second := chunk(1, events[0].String()), chunk(2, events[1].String())
	b.ReportAllocs()
	for b.Loop() {
		log := New(1 << 20)
		if log.Append(first) != nil || log.Append(second) != nil {
			b.Fatal("not appended")
		}
		log.Recycle()
	}
}
