package openai_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
)

// null is a connection that takes everything.
type null struct{ header http.Header }

func (n *null) Header() http.Header              { return n.header }
func (n *null) Write(p []byte) (int, error)      { return len(p), nil }
func (n *null) WriteHeader(int)                  {}
func (n *null) FlushError() error                { return nil }
func (n *null) SetReadDeadline(time.Time) error  { return nil }
func (n *null) SetWriteDeadline(time.Time) error { return nil }

type rewound struct{ *strings.Reader }

func (rewound) Close() error { return nil }

// benchmark sends body through the edge and the face to a room that answers at
// once.
func benchmark(b *testing.B, body string, answer ...*requestv1.SubmitResponse) {
	m := newMesh(b, nil)
	m.request.Script = func(_ context.Context, _ *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
		for _, step := range answer {
			if err := sink(step); err != nil {
				return err
			}
		}
		return nil
	}
	reader := strings.NewReader(body)
	header := http.Header{"Authorization": {"Bearer none"}, "Content-Type": {"application/json"}, "User-Agent": {"bench"}}
	r := &http.Request{Method: "POST", URL: &url.URL{Path: "/v1/chat/completions"}, Host: "localhost:11434", Header: header,
		Body: rewound{reader}, ContentLength: int64(len(body)), ProtoMajor: 1, ProtoMinor: 1}
	w := &null{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		clear(w.header)
		m.edge.ServeHTTP(w, r)
	}
}

func BenchmarkWhole4K(b *testing.B) {
	body := `{"model":"gpt-4.1","temperature":0.7,"messages":[{"role":"user","content":"` + strings.Repeat("token ", 4096/6) + `"}]}`
	answer := gatewaytest.Raw(own, whole, `{"id":"x","choices":[{"message":{"content":"`+strings.Repeat("y", 1300)+`"}}]}`, gatewaytest.Started("m"), gatewaytest.Usage(1, 1), gatewaytest.Finished())
	benchmark(b, body, &requestv1.SubmitResponse{Request: &requestv1.Request{Id: "req_1", ResponseId: "resp_1"}}, &requestv1.SubmitResponse{Chunk: answer})
}

func BenchmarkStream200(b *testing.B) {
	steps := []*requestv1.SubmitResponse{{Request: &requestv1.Request{Id: "req_1"}}, {Chunk: gatewaytest.Raw(own, sse, rawFirst, gatewaytest.Started("m"))}}
	for range 200 {
		steps = append(steps, &requestv1.SubmitResponse{Chunk: gatewaytest.Raw(own, sse, rawFirst)})
	}
	steps = append(steps, &requestv1.SubmitResponse{Chunk: gatewaytest.Raw(own, sse, "data: [DONE]\n\n", gatewaytest.Finished())})
	benchmark(b, askStream, steps...)
}

func BenchmarkTypedStream200(b *testing.B) {
	steps := []*requestv1.SubmitResponse{{Request: &requestv1.Request{Id: "req_1"}, Chunk: gatewaytest.Chunk(gatewaytest.Started("m"))}}
	for range 200 {
		steps = append(steps, &requestv1.SubmitResponse{Chunk: gatewaytest.Chunk(gatewaytest.Text("token "))})
	}
	steps = append(steps, &requestv1.SubmitResponse{Chunk: gatewaytest.Chunk(gatewaytest.ChoiceFinished(conversationv1.FinishReason_FINISH_REASON_STOP), gatewaytest.Finished())})
	benchmark(b, askStream, steps...)
}

// BenchmarkServed is the same over a real connection.
func BenchmarkServed(b *testing.B) {
	m := newMesh(b, nil)
	answer := &requestv1.SubmitResponse{Chunk: gatewaytest.Raw(own, whole, `{"id":"`+strings.Repeat("y", 1300)+`"}`, gatewaytest.Started("m"), gatewaytest.Finished())}
	m.request.Script = func(_ context.Context, _ *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
		return sink(answer)
	}
	server := httptest.NewServer(m.edge)
	defer server.Close()
	client := gatewaytest.Client(b)
	body := `{"model":"gpt-4.1","messages":[{"role":"user","content":"` + strings.Repeat("token ", 2048/6) + `"}]}`
	b.ReportAllocs()
	for b.Loop() {
		resp, err := client.Post(server.URL+"/v1/chat/completions", "application/json", strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}
