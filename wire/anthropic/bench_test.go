package anthropic_test

import (
	"os"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/anthropic"
)

var (
	begin = []byte("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude\",\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n" +
		"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n")
	delta = []byte("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" token\"}}\n\n")
)

func BenchmarkStreamDecode(b *testing.B) {
	b.ReportAllocs()
	decoder := anthropic.Messages().NewStreamDecoder()
	events, err := decoder.Decode(nil, begin)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := decoder.Decode(events[:0], delta); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRawScan(b *testing.B) {
	b.ReportAllocs()
	scanner := anthropic.Messages().NewRawScanner(wire.ScanOptions{})
	if _, _, _, err := scanner.Scan(begin, nil); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, _, err := scanner.Scan(delta, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStreamEncode(b *testing.B) {
	b.ReportAllocs()
	encoder := anthropic.Messages().NewStreamEncoder(wire.AnswerOptions{ID: "msg_1", Model: "claude"})
	events := []*conversationv1.Event{text(" token")}
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
	body, err := os.ReadFile("testdata/turns/claude_code.json")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := run(anthropic.Messages(), body); err != nil {
			b.Fatal(err)
		}
	}
}
