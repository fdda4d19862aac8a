package transport

import (
	"errors"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/wire"
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
	const event = `data: {"id":"1","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}` + "\n\n"
	const end = `data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"
	for events, want := range map[int]int{1: 1, 10: 1, 300: 2} {
		var chunks []string
		var ends []bool
		count := 0
		a := &answer{client: client, raw: true, head: head{provider: "p", model: "m"}, chat: Chat{
			Codec: openai.Chat(), Done: func(e *eventstream.Event) bool { return string(e.Data) == "[DONE]" },
		}}
		a.sink = func(c *conversationv1.Chunk) error {
			chunks, ends = append(chunks, string(c.GetRaw().GetData())), append(ends, wire.Last(c) != nil)
			count += int(c.GetRaw().GetEventCount())
			return nil
		}
		s := a.streaming()
		body := strings.Repeat(event, events) + end
		if _, err := s.Write([]byte(body)); !errors.Is(err, errEnded) {
			t.Fatal(err)
		}
		s.reader.Release()
		if len(chunks) != want || strings.Join(chunks, "") != body || count != events+2 {
			t.Fatalf("%d events: %d chunks, %d events passed on", events, len(chunks), count)
		}
		for i, over := range ends {
			if over != (i == len(ends)-1) {
				t.Errorf("%d events: chunk %d ends the answer: %t", events, i, over)
			}
		}
		if last := chunks[len(chunks)-1]; want > 1 && len(last) > keptEnd {
			t.Errorf("%d bytes wait", len(last))
		}
	}
}
