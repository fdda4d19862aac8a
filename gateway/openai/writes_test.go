package openai_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	"github.com/gptmesh/gptmesh/gateway/openai"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
)

// writes notes each write that reaches the socket.
type writes struct {
	net.Conn
	out *[]string
}

func (w writes) Write(p []byte) (int, error) {
	*w.out = append(*w.out, string(p))
	return w.Conn.Write(p)
}

type oneConn struct {
	conn net.Conn
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error { return nil }

func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// Headers and first event leave in one write; after that, one write per chunk, of
// which the last holds the end too. A chunk behind which another one is there already
// leaves with that.
func TestOneWritePerChunk(t *testing.T) {
	t.Parallel()
	const done = "data: [DONE]\n\n"
	more := func(c *conversationv1.Chunk) *conversationv1.Chunk { c.More = true; return c }
	chunk := func(data string) *conversationv1.Chunk { return gatewaytest.Raw(own, sse, data) }
	first := func() *conversationv1.Chunk { return gatewaytest.Raw(own, sse, rawFirst, gatewaytest.Started("m")) }
	last := func() *conversationv1.Chunk { return gatewaytest.Raw(own, sse, done, gatewaytest.Finished()) }
	for name, c := range map[string]struct {
		chunks []*conversationv1.Chunk
		want   []string // of each write
	}{
		"alone":             {[]*conversationv1.Chunk{first(), chunk(rawFirst + rawFirst), last()}, []string{rawFirst, rawFirst + rawFirst, done}},
		"more":              {[]*conversationv1.Chunk{more(first()), chunk(rawFirst + rawFirst), last()}, []string{rawFirst + rawFirst + rawFirst, done}},
		"more twice":        {[]*conversationv1.Chunk{more(first()), more(chunk(rawFirst)), chunk(rawFirst), last()}, []string{rawFirst + rawFirst + rawFirst, done}},
		"more in the midst": {[]*conversationv1.Chunk{first(), more(chunk(rawFirst)), chunk(rawFirst), chunk(rawFirst), last()}, []string{rawFirst, rawFirst + rawFirst, rawFirst, done}},
		"more and nothing":  {[]*conversationv1.Chunk{more(first()), gatewaytest.Chunk(), last()}, []string{rawFirst, done}},
		"more and the end":  {[]*conversationv1.Chunk{more(first()), last()}, []string{rawFirst + done, ""}},
		"more and a failure": {[]*conversationv1.Chunk{more(first()), gatewaytest.Chunk(gatewaytest.Failed(gatewaytest.NoModel("m")))},
			[]string{rawFirst + `data: {"error":{"message":"no provider has the model m","type":"invalid_request_error","param":"model","code":"model_not_found"}}` + "\n\n", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t, nil)
			m.request.Script = gatewaytest.Chunks(c.chunks...)
			out := writesOf(t, m)
			if len(out) != len(c.want) {
				t.Fatalf("%d writes: %.2000q", len(out), out)
			}
			if !strings.HasPrefix(out[0], "HTTP/1.1 200 OK") || !strings.HasSuffix(out[len(out)-1], "0\r\n\r\n") {
				t.Errorf("%.2000q", out)
			}
			resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(strings.Join(out, ""))), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(resp.Body); err != nil || string(got) != strings.Join(c.want, "") {
				t.Errorf("%.2000q, %v", got, err)
			}
		})
	}
}

// writesOf are the writes of a streamed answer.
func writesOf(t *testing.T, m *mesh) []string {
	t.Helper()
	client, server := net.Pipe()
	var out []string
	listener := &oneConn{conn: writes{server, &out}, done: make(chan struct{})}
	own := m.edge.Server()
	served := make(chan error, 1)
	go func() { served <- own.Serve(listener) }()
	go fmt.Fprintf(client, "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(askStream), askStream)
	if _, err := io.ReadAll(client); err != nil {
		t.Fatal(err)
	}
	close(listener.done)
	_ = own.Close()
	<-served
	return out
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pause time.Duration
		err   error
		want  string
		code  int
	}{
		"then an answer": {15 * time.Second, nil, ": ping\n\n: ping\n\n" + rawFirst + "data: [DONE]\n\n", 200},
		"then an error":  {15 * time.Second, gatewaytest.NoModel("m"), ": ping\n\n: ping\n\n" + `data: {"error":{"message":"no provider has the model m","type":"invalid_request_error","param":"model","code":"model_not_found"}}` + "\n\n", 200},
		"off":            {0, gatewaytest.NoModel("m"), `{"error":{"message":"no provider has the model m","type":"invalid_request_error","param":"model","code":"model_not_found"}}`, 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMesh(t, func(config *openai.Config) { config.Heartbeat = c.pause })
				m.request.Script = func(_ context.Context, _ *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
					time.Sleep(40 * time.Second) // of the bubble's clock
					if c.err != nil {
						return c.err
					}
					_ = sink(&requestv1.SubmitResponse{Chunk: gatewaytest.Raw(own, sse, rawFirst, gatewaytest.Started("m"))})
					time.Sleep(time.Minute)
					return sink(&requestv1.SubmitResponse{Chunk: gatewaytest.Chunk(gatewaytest.Finished())})
				}
				if w := post(m, "/v1/chat/completions", askStream); w.Code != c.code || w.Body.String() != c.want {
					t.Errorf("%d %q, want %q", w.Code, w.Body, c.want)
				}
			})
		})
	}
}
