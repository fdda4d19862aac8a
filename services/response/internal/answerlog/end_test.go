package answerlog

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/services/response/internal/alike"
	"google.golang.org/protobuf/proto"
)

// Where the first chunks are not alike, as one that tells much of the answer, the log is
// stored in runs all the same.
func TestEndOfABlockThatIsNotPacked(t *testing.T) {
	t.Parallel()
	log := New(32 << 20)
	var want []byte
	add := func(c *conversationv1.Chunk) *conversationv1.Chunk {
		entry, err := proto.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		want = Frames(want, entry)
		return c
	}
	var told strings.Builder
	for i := range 240 {
		fmt.Fprintf(&told, "%d ", i*i*i)
	}
	many := strings.Repeat("data: {\"id\":\"chatcmpl-123456789\",\"delta\":{\"content\":\" word\"},\"finish_reason\":null}\n\n", 30)
	for i, text := range []string{told.String(), many} {
		if err := log.Append(add(chunk(int64(i+1), text))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 60 {
		if err := log.Append(add(chunk(int64(i+3), fmt.Sprintf("data: {\"id\":\"chatcmpl-123456789\",\"delta\":{\"content\":\" word%d\"},\"finish_reason\":null}\n\n", i)))); err != nil {
			t.Fatal(err)
		}
	}
	if len(log.blocks) == 0 || log.blocks[0].packed {
		t.Fatal("the first block is packed")
	}
	end, ok, err := log.End([]byte("lead"), add(chunk(63, "data: [DONE]\n\n")))
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if got, err := alike.ParseRuns(nil, end.Runs[len("lead"):]); err != nil || !bytes.Equal(got, want) {
		t.Errorf("stored %d bytes, want %d, %v", len(got), len(want), err)
	}
	log.SealEnd(end)
	if got, err := log.AppendFrames(nil); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the log has %d bytes, want %d, %v", len(got), len(want), err)
	}
	log.Recycle()
}

// TestEnd: what is stored of a log is the log with its end, and the log ends so,
// whatever sizes its chunks have.
func TestEnd(t *testing.T) {
	t.Parallel()
	event := func(i int) string {
		return fmt.Sprintf("data: {\"id\":\"chatcmpl-123456789\",\"created\":1760000000,\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word%d\"},\"finish_reason\":null}]}\n\n", i)
	}
	for _, sizes := range [][]int{{}, {1}, {1, 1, 1}, {1, 100, 1}, {200}, {200, 300, 1, 400}, make([]int, 300)} {
		log := New(32 << 20)
		var want []byte
		number := 0
		next := func(events int) *conversationv1.Chunk {
			var data strings.Builder
			for range max(events, 1) {
				number++
				data.WriteString(event(number))
			}
			c := chunk(int64(log.Len()+1), data.String())
			entry, err := proto.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			want = Frames(want, entry)
			return c
		}
		for _, events := range sizes {
			if err := log.Append(next(events)); err != nil {
				t.Fatal(err)
			}
		}
		for _, last := range []int{1, 250} {
			before := len(want)
			end, ok, err := log.End([]byte("lead"), next(last))
			if err != nil || !ok {
				t.Fatal(sizes, ok, err)
			}
			got, err := alike.ParseRuns(nil, end.Runs[len("lead"):])
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%v: stored %d bytes, want %d, %v", sizes, len(got), len(want), err)
			}
			if last == 1 { // it did not come to be stored
				want = want[:before]
				continue
			}
			log.SealEnd(end)
		}
		got, err := log.AppendFrames(nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v: the log has %d bytes, want %d, %v", sizes, len(got), len(want), err)
		}
		var walked []byte
		if err := log.Walk(func(entry []byte) error { walked = Frames(walked, entry); return nil }); err != nil || !bytes.Equal(walked, want) {
			t.Fatalf("%v: walked over %d bytes, want %d, %v", sizes, len(walked), len(want), err)
		}
		var each []byte
		for i := range len(sizes) + 1 {
			frame, count, err := log.AppendFrom(nil, i, 1)
			if err != nil || count != 1 {
				t.Fatalf("%v: chunk %d: %d, %v", sizes, i, count, err)
			}
			each = append(each, frame...)
		}
		if all, count, err := log.AppendFrom(nil, 0, len(want)); err != nil || count != len(sizes)+1 || !bytes.Equal(all, want) || !bytes.Equal(each, want) {
			t.Fatalf("%v: %d chunks, %d bytes, by one %d, want %d, %v", sizes, count, len(all), len(each), len(want), err)
		}
		wordsOf := func(data []byte) (words string) {
			for _, word := range strings.Split(string(data), " word")[1:] {
				word, _, _ = strings.Cut(word, `"`)
				words += " word" + word
			}
			return words
		}
		words := ""
		err = log.WalkTexts(func(entry []byte) error { words += wordsOf(entry); return nil },
			func(_, _, texts []byte) bool { words += wordsOf(texts); return true })
		if all := wordsOf(want); err != nil || words != all {
			t.Fatalf("%v: %v, %q, want %q", sizes, err, words, all)
		}
		read := log.Reader()
		for i := range len(sizes) + 1 {
			entry, ok, err := read.Next(t.Context())
			var c conversationv1.Chunk
			if err != nil || !ok || proto.Unmarshal(entry, &c) != nil || c.GetSequence() != int64(i+1) {
				t.Fatalf("%v: chunk %d: %v %v", sizes, i, ok, err)
			}
		}
		if _, ok, err := read.Next(t.Context()); ok || err != nil {
			t.Fatalf("%v: the log is not closed: %v", sizes, err)
		}
		log.Recycle()
	}
}

// TestEndUnlike: a log that is not alike is left to be stored in another way, and
// a large chunk of it is there as it came.
func TestEndUnlike(t *testing.T) {
	t.Parallel()
	var data strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&data, "%x", i*i*7919)
	}
	log := New(32 << 20)
	for i := range 3 {
		if err := log.Append(chunk(int64(i+1), data.String())); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok, err := log.End(nil, chunk(4, "end")); ok || err != nil {
		t.Fatal(ok, err)
	}
	read := log.Reader()
	for range 3 {
		entry, ok, err := read.Next(t.Context())
		var c conversationv1.Chunk
		if err != nil || !ok || proto.Unmarshal(entry, &c) != nil || string(c.GetRaw().GetData()) != data.String() {
			t.Fatal(ok, err)
		}
	}
}

// BenchmarkEnd is the end of an answer of 200 events, which came in so many chunks.
func BenchmarkEnd(b *testing.B) {
	for _, events := range []int{1, 200} {
		b.Run(fmt.Sprintf("%d a chunk", events), func(b *testing.B) {
			var chunks []*conversationv1.Chunk
			var data strings.Builder
			for i := range 201 {
				fmt.Fprintf(&data, "data: {\"id\":\"chatcmpl-123456789\",\"created\":1760000000,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"17600000001234%d@\"},\"finish_reason\":null}]}\n\n", i)
				if i == 0 || i%events == 0 {
					c := chunk(int64(len(chunks)+1), data.String())
					c.Raw.EventCount = int32(strings.Count(data.String(), "\n\n"))
					chunks = append(chunks, c)
					data.Reset()
				}
			}
			last := chunk(int64(len(chunks)+1), "data: [DONE]\n\n")
			var room []byte
			for b.Loop() {
				log := New(32 << 20)
				for _, c := range chunks {
					if err := log.Append(c); err != nil {
						b.Fatal(err)
					}
				}
				size := 0
				_ = log.WalkTexts(func(entry []byte) error { size += len(entry); return nil }, func(_, _, texts []byte) bool { size += len(texts); return true })
				end, _, err := log.End(room[:0], last)
				if err != nil {
					b.Fatal(err)
				}
				room = end.Runs
				log.SealEnd(end)
				log.Recycle()
			}
		})
	}
}
