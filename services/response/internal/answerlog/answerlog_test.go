package answerlog

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func chunk(n int64, data string) *conversationv1.Chunk {
	return &conversationv1.Chunk{Sequence: n, Raw: &conversationv1.RawChunk{Data: []byte(data)}}
}

func TestReadersSeeEveryChunkInOrder(t *testing.T) {
	t.Parallel()
	log := New(32 << 20)
	const total = 2000
	var readers sync.WaitGroup
	for start := range 5 {
		readers.Go(func() {
			for i := start * 10; ; i++ {
				data, ok, err := log.Next(t.Context(), i)
				if err != nil {
					t.Error(err)
					return
				}
				if !ok {
					if i != total {
						t.Errorf("reader %d ended at %d", start, i)
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
		if err := log.Append(chunk(int64(i+1), strings.Repeat("x", i%700))); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Seal(chunk(total, "end")); err != nil {
		t.Fatal(err)
	}
	readers.Wait()

	entries, err := Split(Frames(nil, log.Entries()...))
	if err != nil || len(entries) != total {
		t.Fatalf("split: %d entries, %v", len(entries), err)
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
	if entry, ok, err := marshalled.Next(t.Context(), 0); !ok || err != nil || string(entry) != "the end, longer than the limit" {
		t.Fatalf("entry %q %v %v", entry, ok, err)
	}
	if _, ok, err := marshalled.Next(t.Context(), 1); ok || err != nil {
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
