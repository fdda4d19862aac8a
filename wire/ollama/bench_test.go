package ollama_test

import (
	"os"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/ollama"
)

var line = []byte(`{"model":"llama3.2","created_at":"2025-11-20T10:15:30.123456789Z","message":{"role":"assistant","content":" token"},"done":false}` + "\n")

func BenchmarkStreamDecode(b *testing.B) {
	b.ReportAllocs()
	decoder := ollama.Chat().NewStreamDecoder()
	events := make([]*conversationv1.Event, 0, 4)
	for b.Loop() {
		if _, err := decoder.Decode(events[:0], line); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRawScan(b *testing.B) {
	b.ReportAllocs()
	scanner := ollama.Chat().NewRawScanner(wire.ScanOptions{})
	for b.Loop() {
		if _, _, _, err := scanner.Scan(line, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStreamEncode(b *testing.B) {
	b.ReportAllocs()
	encoder := ollama.Chat().NewStreamEncoder(wire.AnswerOptions{Model: "llama3.2"})
	events := []*conversationv1.Event{text(0, " token")}
	var dst []byte
	for b.Loop() {
		var err error
		if dst, err = encoder.Encode(dst[:0], events); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScanTurn(b *testing.B) {
	turnBench(b, func(c wire.Codec, body []byte) error { _, err := c.ScanTurn(body); return err })
}
func BenchmarkDecodeTurn(b *testing.B) {
	turnBench(b, func(c wire.Codec, body []byte) error { _, err := c.DecodeTurn(body); return err })
}

func BenchmarkSpliceTurn(b *testing.B) {
	turnBench(b, func(c wire.Codec, body []byte) error {
		_, _, err := c.EncodeTurn(&conversationv1.Turn{Raw: &conversationv1.RawTurn{Wire: c.Wire(), Body: body}}, wire.TurnOptions{Model: "m", Stream: true})
		return err
	})
}

func turnBench(b *testing.B, run func(wire.Codec, []byte) error) {
	body, err := os.ReadFile("testdata/turns/chat_tools_by_name.json")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := run(ollama.Chat(), body); err != nil {
			b.Fatal(err)
		}
	}
}
