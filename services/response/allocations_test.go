package response

import (
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/services/response/internal/answerlog"
	"github.com/gptmesh/gptmesh/wire"
)

// TestAllocationsPerEvent holds that the room allocates less than once in five
// events of a raw stream: checks, log and delivery.
func TestAllocationsPerEvent(t *testing.T) {
	w := open(t)
	event := "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}]}\n\n"
	chunk := &conversationv1.Chunk{Raw: &conversationv1.RawChunk{
		Wire: conversationv1.Wire_WIRE_OPENAI_CHAT, Form: conversationv1.RawForm_RAW_FORM_SSE, Data: []byte(event), EventCount: 1,
	}}
	started := &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{Model: "m"}}}
	const events = 2000
	allocations := testing.AllocsPerRun(5, func() {
		r := &run{
			s: w.Service, log: answerlog.New(32 << 20), response: &responsev1.Response{}, beginDone: true, grammar: wire.Grammar{},
			req: &responsev1.GenerateRequest{}, deliver: func(*conversationv1.Chunk) error { return nil },
		}
		if err := r.take(t.Context(), &conversationv1.Chunk{Events: []*conversationv1.Event{started}, Raw: chunk.GetRaw()}); err != nil {
			t.Error(err)
		}
		for range events {
			if err := r.take(t.Context(), chunk); err != nil {
				t.Error(err)
			}
		}
	})
	t.Logf("%.3f allocations per event", allocations/events)
	if allocations/events > 0.2 {
		t.Errorf("%.2f allocations per event, want at most 0.2", allocations/events)
	}
}
