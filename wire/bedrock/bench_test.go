package bedrock_test

import (
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/bedrock"
)

const delta = `{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"Hello"},"p":"abcdefghijklm"}}` + "\n"

var start = []byte(`{"messageStart":{"role":"assistant"}}` + "\n")

func BenchmarkDecodeChunk(b *testing.B) {
	data, decoder := []byte(delta), bedrock.Converse().NewStreamDecoder()
	events := make([]*conversationv1.Event, 0, 8)
	if _, err := decoder.Decode(nil, start); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decoder.Decode(events[:0], data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScanChunk(b *testing.B) {
	data, scanner := []byte(delta), bedrock.Converse().NewRawScanner(wire.ScanOptions{})
	events := make([]*conversationv1.Event, 0, 8)
	if _, _, _, err := scanner.Scan(start, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := scanner.Scan(data, events[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
