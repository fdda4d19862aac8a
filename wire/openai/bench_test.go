package openai_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/openai"
)

// request is a body of about size bytes, as an editor's plugin sends it.
func request(size int) []byte {
	var b strings.Builder
	b.WriteString(`{"model":"gpt-4o-mini","stream":true,"temperature":0.7,"max_tokens":512,"messages":[`)
	for i := 0; b.Len() < size-100; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"role":"user","content":"%s"}`, strings.Repeat("The quick brown fox jumps over the lazy dog.\\n", max(1, min(22, (size-b.Len())/46))))
	}
	b.WriteString(`],"stream_options":{"include_usage":true},"user":"u-1"}`)
	return []byte(b.String())
}

const contentEvent = `data: {"id":"chatcmpl-BQm2","object":"chat.completion.chunk","created":1746000000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_a1b2c3","choices":[{"index":0,"delta":{"content":" world"},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n"

func BenchmarkScanTurn(b *testing.B) {
	for _, size := range []int{1 << 10, 4 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			body := request(size)
			codec := openai.Chat()
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := codec.ScanTurn(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeTurn(b *testing.B) {
	body := request(4 << 10)
	codec := openai.Chat()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := codec.DecodeTurn(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeTurn(b *testing.B) {
	codec := openai.Chat()
	body := request(4 << 10)
	raw, err := codec.ScanTurn(body)
	if err != nil {
		b.Fatal(err)
	}
	typed, err := codec.DecodeTurn(body)
	if err != nil {
		b.Fatal(err)
	}
	options := wire.TurnOptions{Model: "gpt-4o-2024-08-06", Stream: true, WantUsage: true}
	for name, turn := range map[string]*conversationv1.Turn{"splice4KB": raw, "typed4KB": typed} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := codec.EncodeTurn(turn, options); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRawScan(b *testing.B) {
	for _, events := range []int{1, 32} {
		b.Run(fmt.Sprintf("%devents", events), func(b *testing.B) {
			scanner := openai.Chat().NewRawScanner(wire.ScanOptions{DropUsage: true})
			if _, _, _, err := scanner.Scan([]byte(contentEvent), nil); err != nil {
				b.Fatal(err)
			}
			data := []byte(strings.Repeat(contentEvent, events))
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, n, _, err := scanner.Scan(data, nil); err != nil || n != events {
					b.Fatal(n, err)
				}
			}
		})
	}
}

func BenchmarkStreamDecode(b *testing.B) {
	decoder := openai.Chat().NewStreamDecoder()
	var events []*conversationv1.Event
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if events, err = decoder.Decode(events[:0], []byte(contentEvent)); err != nil {
			b.Fatal(err)
		}
	}
}

// A read that brought eight events.
func BenchmarkStreamDecodeBurst(b *testing.B) {
	decoder := openai.Chat().NewStreamDecoder()
	data := bytes.Repeat([]byte(contentEvent), 8)
	var events []*conversationv1.Event
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if events, err = decoder.Decode(events[:0], data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStreamEncode(b *testing.B) {
	encoder := openai.Chat().NewStreamEncoder(wire.AnswerOptions{})
	start := []*conversationv1.Event{{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{Model: "gpt-4o", ResponseId: "resp_1"}}}}
	delta := []*conversationv1.Event{{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Text: " world"}}}}
	buffer, err := encoder.Encode(nil, start)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if buffer, err = encoder.Encode(buffer[:0], delta); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStreamJoined is what is made of a stream's log at its end: of the first event,
// of texts apart from what stands between them, and of a last piece.
func BenchmarkStreamJoined(b *testing.B) {
	before, after, _ := strings.Cut(contentEvent, " world")
	first := []byte(strings.Replace(contentEvent, `"content":" world"`, `"role":"assistant","content":""`, 1))
	last := []byte(strings.Repeat(contentEvent, 4) + strings.Replace(strings.Replace(contentEvent, `"content":" world"`, "", 1), `"finish_reason":null`, `"finish_reason":"stop"`, 1) + "data: [DONE]\n\n")
	texts := []byte(strings.Repeat(" world", 196))
	type joiner interface {
		Join()
		Texts(dst []*conversationv1.Event, before, after, texts []byte) ([]*conversationv1.Event, bool)
	}
	var events []*conversationv1.Event
	b.ReportAllocs()
	for b.Loop() {
		decoder := openai.Chat().NewStreamDecoder()
		decoder.(joiner).Join()
		events, err := decoder.Decode(events[:0], first)
		if err != nil {
			b.Fatal(err)
		}
		ok := false
		if events, ok = decoder.(joiner).Texts(events, []byte(before), []byte(after), texts); !ok {
			b.Fatal("texts apart are not taken")
		}
		if events, err = decoder.Decode(events, last); err != nil {
			b.Fatal(err)
		}
		if _, err = decoder.End(events); err != nil {
			b.Fatal(err)
		}
		if d, ok := decoder.(interface{ Release() }); ok {
			d.Release()
		}
	}
}

// BenchmarkRawScanAnswer is a whole stream that comes in few pieces.
func BenchmarkRawScanAnswer(b *testing.B) {
	first := []byte(strings.Replace(contentEvent, `"content":" world"`, `"role":"assistant","content":""`, 1))
	piece := []byte(strings.Repeat(contentEvent, 8))
	last := []byte(strings.Repeat(contentEvent, 4) + strings.Replace(strings.Replace(contentEvent, `"content":" world"`, "", 1), `"finish_reason":null`, `"finish_reason":"stop"`, 1) + "data: [DONE]\n\n")
	var events []*conversationv1.Event
	b.ReportAllocs()
	for b.Loop() {
		scanner := openai.Chat().NewRawScanner(wire.ScanOptions{DropUsage: true})
		for i := range 12 {
			data := piece
			switch i {
			case 0:
				data = first
			case 11:
				data = last
			}
			var err error
			if _, _, events, err = scanner.Scan(data, events[:0]); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := scanner.End(events); err != nil {
			b.Fatal(err)
		}
		if s, ok := scanner.(interface{ Release() }); ok {
			s.Release()
		}
	}
}
