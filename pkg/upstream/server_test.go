package upstream_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is the server's side of one connection of a raw server.
type peer struct {
	net.Conn
	in     *bufio.Reader
	number int // of the connection, from 0
}

// request reads one request with its body. It returns nil when the client has closed the connection.
func (p *peer) request() (*http.Request, string) {
	r, err := http.ReadRequest(p.in)
	if err != nil {
		return nil, ""
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, ""
	}
	return r, string(body)
}

func (p *peer) send(s string) { _, _ = io.WriteString(p, s) }

// gone waits until the client has closed the connection.
func (p *peer) gone() { _, _ = io.Copy(io.Discard, p.in) }

// serve runs a raw server for the test. Each connection is closed when handle returns.
func serve(t *testing.T, handle func(p *peer)) upstream.Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, "http://"+l.Addr().String(), handle)
}

func serveOn(t *testing.T, l net.Listener, base string, handle func(p *peer)) upstream.Target {
	t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	all.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			all.Go(func() {
				defer func() { _ = c.Close() }()
				handle(&peer{c, bufio.NewReader(c), n})
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return target(t, base+"/v1/chat?x=1")
}

func target(t testing.TB, raw string) upstream.Target {
	t.Helper()
	at, err := upstream.ParseTarget(raw)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// client returns a client that is closed behind the test. Times that the test does not set
// are longer than a process stands still.
func client(t testing.TB, cfg upstream.Config) upstream.Doer {
	t.Helper()
	for _, d := range []*time.Duration{&cfg.DialTimeout, &cfg.TLSTimeout, &cfg.IdleConnTimeout} {
		if *d == 0 {
			*d = time.Hour
		}
	}
	if cfg.Transport == "" {
		cfg.Transport = upstream.TransportLean
	}
	c, err := upstream.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// both runs a test over both transports.
func both(t *testing.T, run func(t *testing.T, transport string)) {
	t.Parallel()
	for _, transport := range []string{upstream.TransportLean, upstream.TransportStandard} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			run(t, transport)
		})
	}
}

func post(at upstream.Target, body string) *upstream.Request {
	return &upstream.Request{Method: "POST", Target: at, Body: []byte(body)}
}

// roundTrip does one request and reads its body to the end.
func roundTrip(t *testing.T, c upstream.Doer, req *upstream.Request) (*upstream.Response, string, error) {
	t.Helper()
	resp, err := c.Do(context.Background(), req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

// isSent is the Sent of an error that must be an *Error.
func isSent(t *testing.T, err error) bool {
	t.Helper()
	var e *upstream.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *Error", err)
	}
	return e.Sent
}

// pieceDial makes every connection the given one.
func pieceDial(p *pieces) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) { return p, nil }
}
