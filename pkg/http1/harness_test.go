package http1

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The standard server lets a connection that it has closed linger for half a second.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// listen returns a listener on a loopback port.
func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serve serves handler until the test ends.
func serve(t testing.TB, handler http.Handler, change func(*Config)) (*Server, string) {
	t.Helper()
	return serveOn(t, listen(t), handler, change)
}

func serveOn(t testing.TB, l net.Listener, handler http.Handler, change func(*Config)) (*Server, string) {
	t.Helper()
	config := Config{
		Handler: handler, Standard: &http.Server{Handler: handler, Protocols: new(http.Protocols)},
		HeadTimeout: patience, BodyWait: patience, IdleTimeout: patience, BodyLimit: 1 << 20,
	}
	config.Standard.Protocols.SetHTTP1(true)
	config.Standard.Protocols.SetUnencryptedHTTP2(true)
	if change != nil {
		change(&config)
	}
	s, served := New(config), make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		<-served
	})
	return s, l.Addr().String()
}

// serveStandard serves handler by net/http alone.
func serveStandard(t testing.TB, handler http.Handler) string {
	t.Helper()
	l := listen(t)
	s := &http.Server{Handler: handler, Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		<-served
	})
	return l.Addr().String()
}

// client is a connection.
type client struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func dial(t testing.TB, address string) *client {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &client{Conn: c, t: t, r: bufio.NewReader(c)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads an answer to a request of the method.
func (c *client) answer(method string) (*http.Response, string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, string(body)
}

// closed waits until the server closes the connection.
func (c *client) closed() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); len(rest) > 0 || isTimeout(err) {
		c.t.Fatalf("%q, %v", rest, err)
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

// describe answers with what it was asked.
func describe(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s path=%q query=%q uri=%q host=%q length=%d close=%v remote=%v err=%v body=%q\n", r.Method, r.Proto, r.URL.Path, r.URL.RawQuery, r.RequestURI,
		r.Host, r.ContentLength, r.Close, strings.HasPrefix(r.RemoteAddr, "127.0.0.1:"), err, body)
	var names []string
	for name := range r.Header {
		names = append(names, name)
	}
	for _, name := range sorted(names) {
		fmt.Fprintf(w, "%s: %q\n", name, r.Header[name])
	}
}

// within is a context for what must not take long.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// await waits for c.
func await[T any](t testing.TB, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatal("it did not happen")
	}
	return v
}
