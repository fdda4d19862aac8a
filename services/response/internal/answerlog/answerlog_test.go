package answerlog

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func chunk(n int64, data string) *conversationv1.Chunk {
	return &conversationv1.Chunk{Sequence: n, Raw: &conversationv1.RawChunk{Data: []byte(data), EventCount: int32(strings.Count(data, "data: "))}}
}

// data is that of chunk i: mostly events that are alike, and others.
func data(i int) string {
	switch {
	case i%500 > 400:
		return strings.Repeat(string(rune('a'+i%26)), i%7000)
	case i%50 == 7:
		return ": a comment\n\n"
	}
	return strings.Repeat(fmt.Sprintf("data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word%d\"}}]}\n\n", i), 1+i%3)
}

func TestReadersSeeEveryChunkInOrder(t *testing.T) {
	t.Parallel()
	log := New(32 << 20)
	const total = 2000
	var readers sync.WaitGroup
	for range 5 {
		readers.Go(func() {
			read := log.Reader()
			for i := 0; ; i++ {
				data, ok, err := read.Next(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if !ok {
					if i != total {
						t.Errorf("a reader ended at %d", i)
					}
					return
				}
				var got conversationv1.Chunk
				if err := proto.Unmarshal(data, &got); err != nil || got.GetSequence() != int64(i+1) {
					t.Errorf("entry %d: %v %v", i, &got, err)
					return
				}
			}
		})
	}
	for i := range total - 1 {
		if err := log.Append(chunk(int64(i+1), data(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Seal(chunk(total, "end")); err != nil {
		t.Fatal(err)
	}
	readers.Wait()

	frames, err := log.AppendFrames([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := Split(frames[len("before"):])
	if err != nil || len(entries) != total {
		t.Fatalf("split: %d entries, %v", len(entries), err)
	}
	for first := 0; first < total; first += 97 {
		got, count, err := log.AppendFrom([]byte("before"), first, 3000)
		if want := Frames([]byte("before"), entries[first:first+count]...); err != nil || count == 0 || !bytes.Equal(got, want) {
			t.Fatalf("from %d: %d chunks, %v", first, count, err)
		}
	}
}

// TestReadWhileItGrows reads all of a log, and from some chunk on, after each chunk.
func TestReadWhileItGrows(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for _, sized := range []func(i int) int{
		func(int) int { return 1 },
		func(i int) int { return 1 + i%90/80*60 }, // some are large
		func(i int) int { return i % 3 },          // some have no event
	} {
		log := New(32 << 20)
		var want []byte
		var ends []int
		for i := range 400 {
			text := strings.Repeat("x", i%40)
			for range sized(i) {
				text += fmt.Sprintf("data: {\"id\":\"chatcmpl-123456789\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word%d\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n", i)
			}
			if i%150 > 120 { // nothing of a stream
				text = fmt.Sprint(random.Uint64(), random.Uint64(), strings.Repeat(fmt.Sprint(i), i))
			}
			c := chunk(int64(i+1), text)
			entry, err := proto.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			want = Frames(want, entry)
			ends = append(ends, len(want))
			if err := log.Append(c); err != nil {
				t.Fatal(err)
			}
			if got, err := log.AppendFrames(nil); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("chunk %d: the log has %d bytes, want %d, %v", i, len(got), len(want), err)
			}
			walked := []byte(nil)
			if err := log.Walk(func(entry []byte) error { walked = Frames(walked, entry); return nil }); err != nil || !bytes.Equal(walked, want) {
				t.Fatalf("chunk %d: walked over %d bytes, want %d, %v", i, len(walked), len(want), err)
			}
			first := random.IntN(i + 1)
			got, count, err := log.AppendFrom(nil, first, 1<<20)
			if from := len(want) - len(got); err != nil || count != i+1-first || !bytes.Equal(got, want[from:]) || first > 0 && from != ends[first-1] {
				t.Fatalf("chunk %d, from %d: %d chunks, %d bytes, %v", i, first, count, len(got), err)
			}
		}
		last := []byte("the end")
		log.SealEntry(last)
		if got, err := log.AppendFrames(nil); err != nil || !bytes.Equal(got, Frames(want, last)) {
			t.Errorf("the sealed log has %d bytes, want %d, %v", len(got), len(want), err)
		}
		log.Recycle()
	}
}

func TestLimitLetsTheEndThrough(t *testing.T) {
	t.Parallel()
	log := New(100)
	if err := log.Append(chunk(1, strings.Repeat("x", 80))); err != nil {
		t.Fatal(err)
	}
	if err := log.Append(chunk(2, strings.Repeat("x", 80))); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("got %v", err)
	}
	if err := log.Seal(chunk(2, strings.Repeat("x", 80))); err != nil {
		t.Fatal(err)
	}
	if log.Len() != 2 {
		t.Fatalf("%d entries", log.Len())
	}
	marshalled := New(10)
	marshalled.SealEntry([]byte("the end, longer than the limit"))
	read := marshalled.Reader()
	if entry, ok, err := read.Next(t.Context()); !ok || err != nil || string(entry) != "the end, longer than the limit" {
		t.Fatalf("entry %q %v %v", entry, ok, err)
	}
	if _, ok, err := read.Next(t.Context()); ok || err != nil {
		t.Fatalf("the log is not closed: %v %v", ok, err)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(Frames(nil, []byte("a"), nil, []byte("bc")))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, frames []byte) {
		entries, err := Split(frames)
		if err != nil {
			return
		}
		again, err := Split(Frames(nil, entries...))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(entries) {
			t.Fatalf("%v != %v, %v", again, entries, err)
		}
	})
}

func BenchmarkAppendRaw(b *testing.B) {
	c := chunk(1, strings.Repeat("x", 220))
	log := New(1 << 40)
	b.ReportAllocs()
	for b.Loop() {
		if log.Len() > 4000 {
			log = New(1 << 40)
		}
		if err := log.Append(c); err != nil {
			b.Fatal(err)
		}
	}
}

// A stream's log takes a fraction of its bytes, and what is not alike no more
// than it has.
func TestMemory(t *testing.T) {
	t.Parallel()
	held := func(log *Log) (n int) {
		for _, b := range log.blocks {
			n += cap(b.data)
		}
		return n + cap(log.tail) + cap(log.open.pieces) + log.texts.PackedSize()
	}
	stream, other := New(1<<30), New(1<<30)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 400 {
		event := fmt.Sprintf("data: {\"id\":\"chatcmpl-123456789\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word%d\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n", i)
		text := make([]byte, len(event))
		for i := range text {
			text[i] = byte(random.Uint32())
		}
		if err := errors.Join(stream.Append(chunk(int64(i+1), event)), other.Append(chunk(int64(i+1), string(text)))); err != nil {
			t.Fatal(err)
		}
	}
	if got := held(stream); got > stream.size/6 {
		t.Errorf("a stream of %d bytes holds %d", stream.size, got)
	}
	if got := held(other); got > other.size*5/4 {
		t.Errorf("%d bytes that are not alike hold %d", other.size, got)
	}
}

// BenchmarkAppendStream is what a stream's events cost, and what they leave.
func BenchmarkAppendStream(b *testing.B) {
	events := make([]*conversationv1.Chunk, 200)
	for i := range events {
		events[i] = chunk(int64(i+1), fmt.Sprintf("data: {\"id\":\"chatcmpl-123456789\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word%d\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n", i))
	}
	b.ReportAllocs()
	for b.Loop() {
		log := New(1 << 20)
		for _, event := range events {
			if err := log.Append(event); err != nil {
				b.Fatal(err)
			}
		}
		log.Recycle()
	}
}
