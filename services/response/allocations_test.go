package response

import (
	"context"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/wire"
)

// nowhere takes what a run sends.
type nowhere struct{}

func (nowhere) Send(*responsev1.GenerateResponse) error { return nil }

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
			s: w.Service, parts: new(parts), response: &responsev1.Response{}, beginDone: true,
			req: &responsev1.GenerateRequest{}, stream: nowhere{},
		}
		r.log.Init(32 << 20)
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

// BenchmarkTurn is a turn that one JSON body answers, as the gpt room of the same
// process gives it: the room's part, the embedded store's included.
func BenchmarkTurn(b *testing.B) {
	w := open(b)
	words := strings.Repeat("x", 1000)
	body := []byte(`{"choices":[{"message":{"content":"` + words + `"}}]}`)
	start, decoded := started(), []*conversationv1.Event{text(words), stopped()}
	w.model.plays(func(ctx context.Context, _ *gptv1.GenerateRequest, send func(*conversationv1.Chunk) error) error {
		wire.DecodedFrom(ctx).Keep(body, decoded)
		return send(&conversationv1.Chunk{
			Events: []*conversationv1.Event{start, usage(2), finishedEvent()},
			Raw:    &conversationv1.RawChunk{Wire: conversationv1.Wire_WIRE_OPENAI_CHAT, Form: conversationv1.RawForm_RAW_FORM_JSON, Data: body},
		})
	})
	req := &responsev1.GenerateRequest{RequestId: "req_1", Turn: &conversationv1.Turn{Model: "m"}}
	b.ReportAllocs()
	for b.Loop() {
		last := 0
		if err := w.caller.Generate(b.Context(), req, func(m *responsev1.GenerateResponse) error {
			last = len(m.GetChunk().GetRaw().GetData())
			return nil
		}); err != nil || last != len(body) {
			b.Fatal(last, err)
		}
	}
}
