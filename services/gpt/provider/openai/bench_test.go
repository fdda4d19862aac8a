package openai_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/services/gpt/provider/openai"
	"github.com/gptmesh/gptmesh/services/gpt/provider/transport"
)

// canned answers every request with one body, one event per read.
type canned struct{ body []byte }

func (c canned) Do(context.Context, *upstream.Request) (*upstream.Response, error) {
	return &upstream.Response{
		Status: 200, Header: upstream.Header{{Name: "Content-Type", Value: "text/event-stream"}},
		Body: io.NopCloser(&events{left: c.body}),
	}, nil
}

func (canned) Close() error { return nil }

type events struct{ left []byte }

func (e *events) Read(p []byte) (int, error) {
	if len(e.left) == 0 {
		return 0, io.EOF
	}
	n := bytes.Index(e.left, []byte("\n\n")) + 2
	n = copy(p, e.left[:n])
	e.left = e.left[n:]
	return n, nil
}

// BenchmarkStream is what an answer of 200 events costs on its way from the
// provider's bytes to the sink, passed on as it is and translated.
func BenchmarkStream(b *testing.B) {
	const head = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1730000000,"model":"m","system_fingerprint":"fp_1","choices":[{"index":0,"delta":`
	body := strings.Repeat(head+`{"content":" token"},"logprobs":null,"finish_reason":null}]}`+"\n\n", 200) +
		head + `{},"logprobs":null,"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"
	p, err := openai.New(transport.Config{Name: "bench", BaseURL: "http://bench/v1", Doer: canned{[]byte(body)}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	for name, accept := range map[string]conversationv1.Wire{"raw": conversationv1.Wire_WIRE_OPENAI_CHAT, "typed": 0} {
		b.Run(name, func(b *testing.B) {
			call := &provider.Call{Model: "m", Turn: &conversationv1.Turn{Stream: true, AcceptWire: accept, Raw: &conversationv1.RawTurn{
				Wire: conversationv1.Wire_WIRE_OPENAI_CHAT, Body: []byte(`{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`),
			}}}
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Generate(b.Context(), call, func(*conversationv1.Chunk) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
