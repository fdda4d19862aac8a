package store

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func stream(events int) []byte {
	var b []byte
	for i := range events {
		b = append(b, fmt.Sprintf("\x90\x02\x08%c\x1a\x80data: {\"id\":\"chatcmpl-BQm2\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word%d\"},\"finish_reason\":null}]}\n\n", rune(i%100), i)...)
	}
	return b
}

func TestPackLog(t *testing.T) {
	t.Parallel()
	frames := stream(500)
	packed, err := PackLog(frames)
	if err != nil || packed[0] != alikeLog || len(packed) > len(frames)/5 {
		t.Fatalf("packing %d: %d bytes of %d, %v", packed[0], len(packed), len(frames), err)
	}
	if got, err := UnpackLog(packed); err != nil || !bytes.Equal(got, frames) {
		t.Fatal("unpacked is not what was packed:", err)
	}
	for cut := range len(packed) {
		if got, err := UnpackLog(packed[:cut]); err == nil && cut > 0 {
			t.Fatalf("cut at %d: %d bytes and no error", cut, len(got))
		}
	}
	const text = "some text which is not a stream at all, "
	for _, c := range []struct {
		times int
		want  byte
	}{{MaxPlain / len(text), plainLog}, {MaxPlain/len(text) + 1, zstdLog}} {
		other := []byte(strings.Repeat(text, c.times))
		packed, err = PackLog(other)
		if err != nil || packed[0] != c.want {
			t.Fatal(packed[0], err)
		}
		if got, err := UnpackLog(packed); err != nil || !bytes.Equal(got, other) {
			t.Error("unpacked is not what was packed:", err)
		}
	}
}

func BenchmarkPackLog(b *testing.B) {
	frames := stream(200)
	b.SetBytes(int64(len(frames)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := PackLog(frames); err != nil {
			b.Fatal(err)
		}
	}
}
