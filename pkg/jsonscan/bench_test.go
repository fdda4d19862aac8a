package jsonscan_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// chat is a request of about size bytes, in messages of up to 2 KB.
func chat(size int) []byte {
	var b strings.Builder
	b.WriteString(`{"model":"gpt-4o-mini","stream":true,"temperature":0.7,"max_tokens":512,"messages":[`)
	for i := 0; b.Len() < size-100; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		text := strings.Repeat("The quick brown fox jumps over the lazy dog.\\n", min(44, (size-b.Len())/46))
		fmt.Fprintf(&b, `{"role":"user","content":"%s"}`, text)
	}
	b.WriteString(`],"stream_options":{"include_usage":true},"user":"u-1"}`)
	return []byte(b.String())
}

func sizes(b *testing.B, run func(b *testing.B, body []byte)) {
	for _, s := range []struct {
		name string
		size int
	}{{"1KB", 1 << 10}, {"4KB", 4 << 10}, {"64KB", 64 << 10}, {"1MB", 1 << 20}} {
		b.Run(s.name, func(b *testing.B) {
			body := chat(s.size)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			run(b, body)
		})
	}
}

var routed = jsonscan.NewKeys("model", "stream", "max_tokens", "stream_options", "user", "metadata", "tools")

func BenchmarkScan(b *testing.B) {
	sizes(b, func(b *testing.B, body []byte) {
		out := make([]jsonscan.Member, routed.Len())
		for b.Loop() {
			if _, err := jsonscan.Scan(body, routed, out); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSplice(b *testing.B) {
	sizes(b, func(b *testing.B, body []byte) {
		at, err := jsonscan.Scan(body, routed, nil)
		if err != nil {
			b.Fatal(err)
		}
		value := []byte(`"another-model"`)
		var dst []byte
		for b.Loop() {
			if dst, err = jsonscan.Splice(dst[:0], body, jsonscan.Edit{At: at[0], Value: value}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncodingJSONValid(b *testing.B) {
	sizes(b, func(b *testing.B, body []byte) {
		for b.Loop() {
			if !json.Valid(body) {
				b.Fatal("invalid")
			}
		}
	})
}

func BenchmarkEncodingJSONMembers(b *testing.B) {
	sizes(b, func(b *testing.B, body []byte) {
		for b.Loop() {
			var v struct {
				Model         json.RawMessage
				Stream        json.RawMessage
				MaxTokens     json.RawMessage `json:"max_tokens"`
				StreamOptions json.RawMessage `json:"stream_options"`
				User          json.RawMessage
			}
			if err := json.Unmarshal(body, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkText(b *testing.B) {
	for name, text := range map[string]string{"plain": strings.Repeat("The quick brown fox. ", 60), "escaped": strings.Repeat(`The \"quick\" brown fox.\n`, 50)} {
		b.Run(name, func(b *testing.B) {
			body := []byte(`{"text":"` + text + `"}`)
			at, err := jsonscan.Scan(body, jsonscan.NewKeys("text"), nil)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := at[0].Text(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
