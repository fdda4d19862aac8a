package eventstream_test

import (
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/eventstream"
)

// delta is an event of 265 bytes, the size of a usual chat completion chunk.
var delta = []byte("data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" +
	strings.Repeat("x", 112) + "\"},\"finish_reason\":null}]}\n\n")

func BenchmarkSSEReader(b *testing.B) {
	for name, events := range map[string]int{"1PerRead": 1, "16PerRead": 16} {
		b.Run(name, func(b *testing.B) {
			src := &repeat{[]byte(strings.Repeat(string(delta), events)), 1 << 60}
			r := eventstream.NewSSEReader(src, eventstream.Limits{})
			b.ReportAllocs()
			b.SetBytes(int64(len(src.b)))
			for b.Loop() {
				if _, err := r.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSSEReaderPerStream(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		r := eventstream.NewSSEReader(&repeat{delta, 200}, eventstream.Limits{})
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		dst = eventstream.AppendEvent(dst[:0], "delta", delta[6:len(delta)-2])
	}
}
