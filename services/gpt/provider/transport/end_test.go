package transport

import (
	"errors"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/ollama"
	"github.com/gptmesh/gptmesh/wire/openai"
)

// TestEndOfABurst: of a read that brings an answer's end and much before it, only
// what is near the end stands in the chunk that waits for the answer's rows.
func TestEndOfABurst(t *testing.T) {
	t.Parallel()
	client, err := New(Config{Name: "p", BaseURL: "http://x/v1/"})
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string]struct {
		codec      wire.Codec
		event, end string
		done       string
		ends       int // events
	}{
		"events": {openai.Chat(), `data: {"id":"1","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}` + "\n\n",
			`data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n", "[DONE]", 2},
		"lines": {ollama.Chat(), `{"model":"m","message":{"role":"assistant","content":" word"},"done":false}` + "\n",
			`{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}` + "\n", `"done":true`, 1},
	} {
		for events, want := range map[int]int{1: 1, 10: 1, 300: 2} {
			var chunks []string
			var ends []bool
			count := 0
			a := &answer{client: client, raw: true, head: head{provider: "p", model: "m"}, chat: Chat{
				Codec: w.codec, Done: func(e *eventstream.Event) bool { return strings.Contains(string(e.Data), w.done) },
			}}
			a.sink = func(c *conversationv1.Chunk) error {
				chunks, ends = append(chunks, string(c.GetRaw().GetData())), append(ends, wire.Last(c) != nil)
				count += int(c.GetRaw().GetEventCount())
				return nil
			}
			s := a.streaming()
			body := strings.Repeat(w.event, events) + w.end
			if _, err := s.Write([]byte(body)); !errors.Is(err, errEnded) {
				t.Fatal(err)
			}
			s.reader.Release()
			if len(chunks) != want || strings.Join(chunks, "") != body || count != events+w.ends {
				t.Fatalf("%s, %d events: %d chunks, %d events passed on", name, events, len(chunks), count)
			}
			for i, over := range ends {
				if over != (i == len(ends)-1) {
					t.Errorf("%s, %d events: chunk %d ends the answer: %t", name, events, i, over)
				}
			}
			if last := chunks[len(chunks)-1]; want > 1 && len(last) > keptEnd {
				t.Errorf("%s: %d bytes wait", name, len(last))
			}
		}
	}
}
