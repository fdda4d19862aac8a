package upstream_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"crypto/tls"
	"crypto/x509"

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

// pieces is a connection to a server that answers with one piece per read and knows no more.
type pieces struct {
	net.Conn // nil: what is not overridden is not used
	wire     []string
	reads    int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.wire) == 0 {
		return 0, io.EOF
	}
	p.reads++
	n := copy(b, p.wire[0])
	if p.wire[0] = p.wire[0][n:]; p.wire[0] == "" {
		p.wire = p.wire[1:]
	}
	return n, nil
}

func (p *pieces) Write(b []byte) (int, error)      { return len(b), nil }
func (p *pieces) Close() error                     { return nil }
func (p *pieces) SetDeadline(time.Time) error      { return nil }
func (p *pieces) SetReadDeadline(time.Time) error  { return nil }
func (p *pieces) SetWriteDeadline(time.Time) error { return nil }

const chunkedAnswer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: 1\r\nTransfer-Encoding: chunked\r\n\r\n" +
	"3\r\nabc\r\n1;x\r\nd\r\n10\r\n0123456789abcdef\r\n0\r\nT: 1\r\n\r\n"

func TestCutAtEveryByte(t *testing.T) {
	t.Parallel()
	at := target(t, "http://server.invalid/")
	do := func(wire ...string) {
		t.Helper()
		c := client(t, upstream.Config{Dial: pieceDial(&pieces{wire: wire})})
		resp, body, err := roundTrip(t, c, post(at, "x"))
		if err != nil || body != "abcd0123456789abcdef" || resp.Header.Get("A") != "1" {
			t.Fatalf("%q: %q, %v", wire, body, err)
		}
	}
	for i := 1; i < len(chunkedAnswer); i++ {
		do(chunkedAnswer[:i], chunkedAnswer[i:])
	}
	do(strings.Split(chunkedAnswer, "")...)
	for i := range len(chunkedAnswer) {
		c := client(t, upstream.Config{Dial: pieceDial(&pieces{wire: []string{chunkedAnswer[:i]}})})
		if _, body, err := roundTrip(t, c, post(at, "x")); err == nil {
			t.Fatalf("cut at %d: a whole answer of %q", i, body)
		}
	}
}

func TestOneReadBringsAllThatIsThere(t *testing.T) {
	t.Parallel()
	p := &pieces{wire: []string{
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n1\r\n,\r\n", "6\r\nsecond\r\n5\r\nthi", "rd\r\n0\r\n\r\n",
	}}
	resp, err := client(t, upstream.Config{Dial: pieceDial(p)}).Do(t.Context(), post(target(t, "http://server.invalid/"), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	buf := make([]byte, 100)
	for i, want := range []string{"first,", "secondthi", "rd"} {
		n, err := resp.Body.Read(buf)
		if err != nil || string(buf[:n]) != want || p.reads != i+1 {
			t.Errorf("read %d: %q, %v after %d reads of the connection", i, buf[:n], err, p.reads)
		}
	}
	if n, err := resp.Body.Read(buf); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
}

// numbered answers each request with the number of its connection.
func numbered(p *peer) {
	for {
		if r, _ := p.request(); r == nil {
			return
		}
		p.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", p.number))
	}
}

// inParallel has n requests open at the same time and then ends them in order.
func inParallel(t *testing.T, c upstream.Doer, at upstream.Target, n int) {
	t.Helper()
	var open []*upstream.Response
	for range n {
		resp, err := c.Do(t.Context(), post(at, "x"))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, resp)
	}
	for _, resp := range open {
		if _, err := io.ReadAll(resp.Body); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIdleConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	gone := make(chan int, 9)
	at := serve(t, func(p *peer) {
		numbered(p)
		gone <- p.number
	})
	c := client(t, upstream.Config{MaxIdlePerHost: 2})
	inParallel(t, c, at, 3)
	if n := <-gone; n != 0 {
		t.Errorf("connection %d was closed, not the oldest", n)
	}
	if _, body, err := roundTrip(t, c, post(at, "x")); err != nil || body != "2" {
		t.Errorf("connection %s, %v; want the newest", body, err)
	}
}

func TestIdleConnectionsExpire(t *testing.T) {
	t.Parallel()
	gone := make(chan int, 9)
	at := serve(t, func(p *peer) {
		numbered(p)
		gone <- p.number
	})
	c := client(t, upstream.Config{IdleConnTimeout: 10 * time.Millisecond})
	inParallel(t, c, at, 2)
	<-gone
	<-gone
	if _, body, err := roundTrip(t, c, post(at, "x")); err != nil || body != "2" {
		t.Errorf("connection %s, %v", body, err)
	}
}

// Bytes that come on an unused connection must not be taken for the next answer.
func TestUnaskedBytes(t *testing.T) {
	t.Parallel()
	smuggled := make(chan struct{})
	next := make(chan struct{})
	at := serve(t, func(p *peer) {
		p.request()
		p.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", p.number))
		if p.number == 0 {
			<-next
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled")
			close(smuggled)
		}
		p.gone()
	})
	c := client(t, upstream.Config{})
	if _, _, err := roundTrip(t, c, post(at, "x")); err != nil {
		t.Fatal(err)
	}
	close(next)
	<-smuggled
	if _, body, err := roundTrip(t, c, post(at, "x")); err != nil || body != "1" {
		t.Errorf("got %q, %v", body, err)
	}
}

// Nor those that came behind an answer within TLS, of which the socket knows nothing any more.
func TestUnaskedBytesWithinTLS(t *testing.T) {
	t.Parallel()
	for _, length := range []int{1, 1000, 12 << 10} {
		for _, large := range []bool{false, true} {
			t.Run(fmt.Sprint(length, large), func(t *testing.T) {
				t.Parallel()
				// The head, with what of the body follows it, fills the first room to the last byte.
				body := strings.Repeat("b", length)
				head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX: ", length)
				head += strings.Repeat("x", 4<<10-len(head)-len("\r\n\r\n")-min(length, 1000)) + "\r\n\r\n"
				at, trust := serveTLS(t, func(p *peer) {
					for p.number == 0 {
						if r, _ := p.request(); r == nil {
							return
						}
						p.send(head + body + "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled") // in one record
					}
					p.request()
					p.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nasked")
					p.gone()
				})
				c := client(t, upstream.Config{TLS: trust})
				resp, err := c.Do(t.Context(), post(at, "x"))
				if err != nil {
					t.Fatal(err)
				}
				got := make([]byte, length)
				if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != body {
					t.Fatal(string(got), err)
				}
				_ = resp.Body.Close()
				req := post(at, "x")
				if large {
					req.Body = make([]byte, upstream.InlineBody+1)
				}
				req.NoRetry = true
				if _, got, err := roundTrip(t, c, req); err != nil || got != "asked" {
					t.Errorf("got %q, %v", got, err)
				}
			})
		}
	}
}

// A connection that was made for a request which was not to be sent is looked at as any other before it is used.
func TestSpoiledBeforeItsFirstUse(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(p *peer){
		"closed": func(p *peer) { _ = p.Close() },
		"unasked": func(p *peer) {
			p.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next, spoiled := make(chan struct{}), make(chan struct{})
			at := serve(t, func(p *peer) {
				if p.number == 0 {
					<-next
					spoil(p)
					close(spoiled)
					p.gone()
					return
				}
				p.request()
				p.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nasked")
				p.gone()
			})
			c := client(t, upstream.Config{})
			req := post(at, "x")
			req.Ready = func() error { return errors.New("not now") }
			if _, _, err := roundTrip(t, c, req); !errors.Is(err, upstream.ErrNotReady) {
				t.Fatal(err)
			}
			close(next)
			<-spoiled
			req.NoRetry, req.Ready = true, nil
			if resp, got, err := roundTrip(t, c, req); err != nil || resp.Status != 200 || got != "asked" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

// What happens to a kept connection while Request.Ready waits is seen before the request is written: it need not be
// sent twice.
func TestSpoiledWhileNotReady(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(p *peer){
		"closed":  func(p *peer) { _ = p.Close() },
		"unasked": func(p *peer) { p.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled") },
	} {
		for _, length := range []int{1, upstream.InlineBody + 1} {
			t.Run(fmt.Sprint(name, length), func(t *testing.T) {
				t.Parallel()
				next, spoiled := make(chan struct{}), make(chan struct{})
				at := serve(t, func(p *peer) {
					p.request()
					p.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", p.number))
					if p.number == 0 {
						<-next
						spoil(p)
						close(spoiled)
					}
					p.gone()
				})
				c := client(t, upstream.Config{})
				if _, _, err := roundTrip(t, c, post(at, "x")); err != nil {
					t.Fatal(err)
				}
				req, once := post(at, strings.Repeat("x", length)), sync.OnceFunc(func() { close(next); <-spoiled })
				req.NoRetry, req.Ready = true, func() error { once(); return nil }
				if _, body, err := roundTrip(t, c, req); err != nil || body != "1" {
					t.Errorf("got %q, %v", body, err)
				}
			})
		}
	}
}

// A request that the socket does not take at once arrives whole.
func TestSmallSocket(t *testing.T) {
	t.Parallel()
	at := serve(t, func(p *peer) {
		for {
			r, body := p.request()
			if r == nil {
				return
			}
			p.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		}
	})
	c := client(t, upstream.Config{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			err = nc.(*net.TCPConn).SetWriteBuffer(1)
		}
		return nc, err
	}})
	want := strings.Repeat("0123456789abcdef", upstream.InlineBody/16)
	for range 2 {
		if _, body, err := roundTrip(t, c, post(at, want)); err != nil || body != want {
			t.Fatalf("%d bytes, %v", len(body), err)
		}
	}
}

func TestNewChooses(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, "")
	}
	standard := func(cfg upstream.Config) bool {
		c, err := upstream.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_, is := c.(*upstream.Standard)
		return is
	}
	for _, cfg := range []upstream.Config{{Transport: upstream.TransportStandard}, {Proxy: "http://proxy:3128"}, {HTTP2: true}, {Compression: true}} {
		if !standard(cfg) {
			t.Errorf("lean for %+v", cfg)
		}
	}
	if standard(upstream.Config{}) {
		t.Error("standard for nothing")
	}
	t.Setenv("https_proxy", "http://proxy:3128")
	if !standard(upstream.Config{}) || standard(upstream.Config{Transport: upstream.TransportLean}) {
		t.Error("a proxy in the environment is not told from an explicit choice")
	}
	for _, cfg := range []upstream.Config{{Transport: "x"}, {Transport: upstream.TransportLean, HTTP2: true}, {Proxy: "::"}, {DialTimeout: -1}, {MaxHeaderBytes: -1}} {
		if c, err := upstream.New(cfg); err == nil {
			_ = c.Close()
			t.Errorf("accepted %+v", cfg)
		}
	}
}

func TestStandardProxy(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.RequestURI)
	}))
	t.Cleanup(proxy.Close)
	c := client(t, upstream.Config{Transport: upstream.TransportStandard, Proxy: proxy.URL})
	if _, body, err := roundTrip(t, c, post(target(t, "http://provider.invalid/v1?x=1"), "x")); err != nil || body != "http://provider.invalid/v1?x=1" {
		t.Errorf("%q, %v", body, err)
	}
}

func TestStandardHTTP2AndCompression(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, r.Proto+" "+r.Header.Get("Accept-Encoding"))
		_ = z.Close()
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	c := client(t, upstream.Config{Transport: upstream.TransportStandard, HTTP2: true, Compression: true, TLS: &tls.Config{RootCAs: roots}})
	if _, body, err := roundTrip(t, c, post(target(t, srv.URL), "x")); err != nil || body != "HTTP/2.0 gzip" {
		t.Errorf("%q, %v", body, err)
	}
}

func TestParseTarget(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][2]string{
		"http://h": {"h", "/"}, "https://h:8443/a%2Fb?q=%20#f": {"h:8443", "/a%2Fb?q=%20"}, "http://[::1]:80/x": {"[::1]:80", "/x"},
		"http+unix://%2Frun%2Fs/v1?a=b": {"localhost", "/v1?a=b"}, "http+unix://%2frun%2fs": {"localhost", "/"},
	} {
		at, err := upstream.ParseTarget(raw)
		if err != nil || at.Host() != want[0] || at.URI() != want[1] {
			t.Errorf("%s: %q %q, %v", raw, at.Host(), at.URI(), err)
		}
	}
	for _, raw := range []string{"", "h", "/x", "ftp://h", "http://", "http://:80", "http://u:p@h", "http://h/a b", "http://h/\r\nX: 1", "http+unix://run/x", "http://h:x"} {
		if _, err := upstream.ParseTarget(raw); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: %v", raw, err)
		}
	}
	at := target(t, "http://h/v1")
	if other, err := at.At("/v1/models?limit=5"); err != nil || other.URI() != "/v1/models?limit=5" || other.Host() != "h" {
		t.Errorf("At: %v, %v", other, err)
	}
	for _, uri := range []string{"", "x", "/a b", "/\r\n", "/é"} {
		if _, err := at.At(uri); err == nil {
			t.Errorf("At accepted %q", uri)
		}
	}
}

func TestReuseAfterLargeRequests(t *testing.T) {
	t.Parallel()
	at := serve(t, numbered)
	c := client(t, upstream.Config{})
	last := ""
	for range 50 {
		_, body, err := roundTrip(t, c, post(at, strings.Repeat("x", 200<<10)))
		if err != nil {
			t.Fatal(err)
		}
		last = body
	}
	// One whose writing is not seen to have ended within a moment is not used again: that
	// of a process that stood still.
	if n, err := strconv.Atoi(last); err != nil || n > 10 {
		t.Errorf("the last request used connection %s", last)
	}
}
