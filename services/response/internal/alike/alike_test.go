package alike

import (
	"bytes"
	"fmt"
	"testing"
)

func stream(events int) []byte {
	var b []byte
	for i := range events {
		b = append(b, fmt.Sprintf("\x90\x02\x08%c\x1a\x80data: {\"id\":\"chatcmpl-BQm2\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word%d\"},\"finish_reason\":null}]}\n\n", rune(i%100), i)...)
	}
	return b
}

func FuzzAlike(f *testing.F) {
	f.Add(stream(3))
	f.Add([]byte("data: a\n\n\n\ndata: a\n\nrest"))
	f.Fuzz(func(t *testing.T, frames []byte) {
		_, _ = Parse(nil, frames)
		long := bytes.Repeat(frames, 8)
		packed, ok := Append(nil, long)
		if !ok {
			return
		}
		if got, err := Parse([]byte("before"), packed); err != nil || !bytes.Equal(got, append([]byte("before"), long...)) {
			t.Fatalf("%q: %q, %v", long, got, err)
		}
	})
}
