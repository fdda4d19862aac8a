package request

import (
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/services/response/responsetest"
	"google.golang.org/grpc"
)

// oneChunk is a response room whose answers are one chunk.
type oneChunk struct {
	responsev1.UnimplementedResponseServiceServer
	message *responsev1.GenerateResponse
}

func (o *oneChunk) Generate(_ *responsev1.GenerateRequest, stream grpc.ServerStreamingServer[responsev1.GenerateResponse]) error {
	return stream.Send(o.message)
}

// BenchmarkTurn is a turn that one chunk answers: the room's part, the embedded
// store's included.
func BenchmarkTurn(b *testing.B) {
	chunk := &conversationv1.Chunk{Sequence: 1, Events: append([]*conversationv1.Event{responsetest.Started()}, responsetest.Ending()...)}
	w := open(b, options{caller: func(responsev1.ResponseServiceCaller) responsev1.ResponseServiceCaller {
		return responsev1.LocalResponseService(&oneChunk{message: &responsev1.GenerateResponse{Chunk: chunk}}, nil)
	}})
	req := &requestv1.SubmitRequest{Turn: &conversationv1.Turn{Model: "m", Raw: &conversationv1.RawTurn{
		Wire: conversationv1.Wire_WIRE_OPENAI_CHAT, Body: []byte("user:hi"),
	}}}
	b.ReportAllocs()
	for b.Loop() {
		var state requestv1.Request_State
		if err := w.caller.Submit(b.Context(), req, func(m *requestv1.SubmitResponse) error {
			state = m.GetRequest().GetState()
			return nil
		}); err != nil || state != completed {
			b.Fatal(state, err)
		}
	}
}
