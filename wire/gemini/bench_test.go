package gemini_test

import (
	"bytes"
	"os"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/gemini"
)

// chunk is one event of the token path.
func chunk(b *testing.B) []byte {
	b.Helper()
	data, err := os.ReadFile("testdata/streams/text.sse")
	if err != nil {
		b.Fatal(err)
	}
	event, _ := wire.NextServerEvent(data)
	return bytes.Clone(event.Raw)
}

func BenchmarkDecodeChunk(b *testing.B) {
	data, decoder := chunk(b), gemini.Generate().NewStreamDecoder()
	events := make([]*conversationv1.Event, 0, 8)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decoder.Decode(events[:0], data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScanChunk(b *testing.B) {
	data, scanner := chunk(b), gemini.Generate().NewRawScanner(wire.ScanOptions{})
	events := make([]*conversationv1.Event, 0, 8)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := scanner.Scan(data, events[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
