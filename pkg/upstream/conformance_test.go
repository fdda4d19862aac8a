package upstream_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

func TestRequestOnTheWire(t *testing.T) {
	both(t, func(t *testing.T, transport string) {
		type seen struct {
			Method, URI, Host, Body string
			Length                  int64
			Header                  http.Header
		}
		got := make(chan seen, 1)
		at := serve(t, func(p *peer) {
			r, body := p.request()
			got <- seen{r.Method, r.RequestURI, r.Host, body, r.ContentLength, r.Header}
			p.send("HTTP/1.1 200 OK\r\nx-request-id: 7\r\nSet-Cookie: a\r\nset-cookie: b\r\nContent-Length: 2\r\n\r\nhi")
		})
		req := post(at, `{"a":1}`)
		req.Fixed = upstream.Fix(upstream.Header{{"authorization", "Bearer k"}, {"X-A", "1"}})
		req.Header = upstream.Header{{"Content-Type", "application/json"}, {"X-A", "2"}}
		resp, body, err := roundTrip(t, client(t, upstream.Config{Transport: transport}), req)
		if err != nil || body != "hi" || resp.Status != 200 {
			t.Fatalf("%+v, %q, %v", resp, body, err)
		}
		want := seen{"POST", "/v1/chat?x=1", at.Host(), `{"a":1}`, 7, http.Header{
			"Authorization": {"Bearer k"}, "Content-Type": {"application/json"}, "X-A": {"1", "2"},
			"Content-Length": {"7"}, "Accept-Encoding": {"identity"}}}
		if diff := cmp.Diff(want, <-got); diff != "" {
			t.Error(diff)
		}
		if resp.Header.Get("x-REQUEST-id") != "7" || resp.Header.Has("X-Other") || !cmp.Equal(resp.Header.Values("Set-Cookie"), []string{"a", "b"}) {
			t.Errorf("header %v", resp.Header)
		}
	})
}

func TestRequestRefused(t *testing.T) {
	both(t, func(t *testing.T, transport string) {
		at := target(t, "http://127.0.0.1:1/")
		c := client(t, upstream.Config{Transport: transport})
		for name, req := range map[string]*upstream.Request{
			"line break":  {Method: "GET", Target: at, Header: upstream.Header{{"X-A", "secret\r\nX-B: 1"}}},
			"line feed":   {Method: "GET", Target: at, Header: upstream.Header{{"X-A", "secret\nx"}}},
			"NUL":         {Method: "GET", Target: at, Header: upstream.Header{{"X-A", "secret\x00"}}},
			"name":        {Method: "GET", Target: at, Header: upstream.Header{{"X A", "1"}}},
			"name break":  {Method: "GET", Target: at, Header: upstream.Header{{"X-A: 1\r\nX-B", "1"}}},
			"no name":     {Method: "GET", Target: at, Header: upstream.Header{{"", "1"}}},
			"length":      {Method: "GET", Target: at, Header: upstream.Header{{"content-length", "1"}}},
			"coding":      {Method: "GET", Target: at, Header: upstream.Header{{"Transfer-Encoding", "chunked"}}},
			"host":        {Method: "GET", Target: at, Header: upstream.Header{{"host", "x"}}},
			"expectation": {Method: "GET", Target: at, Header: upstream.Header{{"Expect", "100-continue"}}},
			"fixed":       {Method: "GET", Target: at, Fixed: upstream.Fix(upstream.Header{{"X-A", "secret\r\nX-B: 1"}})},
			"method":      {Method: "GET / HTTP/1.1\r\nX: ", Target: at},
			"no method":   {Target: at},
			"tunnel":      {Method: "CONNECT", Target: at},
			"no target":   {Method: "GET"},
		} {
			_, err := c.Do(t.Context(), req)
			if !errors.Is(err, upstream.ErrRequest) || isSent(t, err) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestBodies(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 20_000)
	tests := []struct {
		name, method, wire, body string
		status                   int
		err                      error
	}{
		{name: "length", wire: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", body: "abc"},
		{name: "empty", wire: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
		{name: "until close", wire: "HTTP/1.1 200 OK\r\n\r\nabc", body: "abc"},
		{name: "version 1.0", wire: "HTTP/1.0 200 OK\r\n\r\nabc", body: "abc"},
		{name: "chunked", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0A;ext=\"1\"\r\n0123456789\r\n0\r\n\r\n", body: "abc0123456789"},
		{name: "trailer", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nTrailer: X-A\r\n\r\n1\r\na\r\n0\r\nX-A: 1\r\nX-B: 2\r\n\r\n", body: "a"},
		{name: "interim", wire: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", body: "a"},
		{name: "no content", wire: "HTTP/1.1 204 No Content\r\n\r\n", status: 204},
		{name: "redirect", wire: "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 1\r\n\r\nm", body: "m", status: 302},
		{name: "error status", wire: "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\nno", body: "no", status: 429},
		{name: "no reason phrase", wire: "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", body: "a"},
		{name: "HEAD", method: "HEAD", wire: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"},
		{name: "big", wire: "HTTP/1.1 200 OK\r\nContent-Length: " + fmt.Sprint(len(big)) + "\r\n\r\n" + big, body: big},
		{name: "big chunk", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(big), big), body: big},
		{name: "cut length", wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", body: "abc", err: io.ErrUnexpectedEOF},
		{name: "cut chunk", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", body: "abc", err: io.ErrUnexpectedEOF},
		{name: "cut between chunks", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", body: "abc", err: io.ErrUnexpectedEOF},
	}
	both(t, func(t *testing.T, transport string) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				at := serve(t, func(p *peer) {
					p.request()
					p.send(tt.wire)
				})
				method, status := "POST", 200
				if tt.method != "" {
					method = tt.method
				}
				if tt.status != 0 {
					status = tt.status
				}
				resp, body, err := roundTrip(t, client(t, upstream.Config{Transport: transport}), &upstream.Request{Method: method, Target: at})
				if !errors.Is(err, tt.err) || body != tt.body || resp.Status != status {
					t.Fatalf("%d bytes, %v; want %d, %v", len(body), err, len(tt.body), tt.err)
				}
				if err != nil && !isSent(t, err) {
					t.Error("not sent")
				}
			})
		}
	})
}

func TestMalformedAnswers(t *testing.T) {
	many := strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 20)
	for name, wire := range map[string]string{
		"nothing": "", "garbage": "garbage\r\n\r\n", "other protocol": "SSH-2.0-OpenSSH\r\n\r\n", "version": "HTTP/2.0 200 OK\r\n\r\n",
		"status": "HTTP/1.1 2x0 OK\r\n\r\n", "name": "HTTP/1.1 200 OK\r\nA B: 1\r\n\r\n", "folded": "HTTP/1.1 200 OK\r\nA: 1\r\n B: 2\r\n\r\n",
		"no colon": "HTTP/1.1 200 OK\r\nA\r\n\r\n", "lengths": "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"negative length": "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "coding": "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"upgrade": "HTTP/1.1 101 Switching Protocols\r\n\r\n", "interim": many, "cut head": "HTTP/1.1 200 OK\r\nA: 1\r\n",
		"value": "HTTP/1.1 200 OK\r\nA: 1\x002\r\n\r\n", "large": "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 80<<10) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := serve(t, func(p *peer) {
				p.request()
				p.send(wire)
			})
			_, _, err := roundTrip(t, client(t, upstream.Config{}), post(at, "x"))
			want := upstream.ErrProtocol
			switch name {
			case "nothing", "cut head":
				want = io.ErrUnexpectedEOF
			case "large":
				want = upstream.ErrHeaderTooLarge
			}
			if !errors.Is(err, want) || !isSent(t, err) {
				t.Errorf("got %v, want %v", err, want)
			}
		})
	}
}

func TestMalformedChunks(t *testing.T) {
	t.Parallel()
	for name, wire := range map[string]string{
		"no size": "\r\n", "size": "g\r\n", "line feed": "1\na\r\n0\r\n\r\n", "no line end": "1\r\nab\r\n0\r\n\r\n", "huge": "ffffffffffffffff1\r\n",
		"extension": "1;a\nb\r\na\r\n", "long extension": "1;" + strings.Repeat("x", 5<<10) + "\r\n", "long trailer": "0\r\nA: " + strings.Repeat("x", 70<<10) + "\r\n\r\n",
		"negative": "-1\r\n",
	} {
		at := serve(t, func(p *peer) {
			p.request()
			p.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + wire)
			p.gone()
		})
		if _, _, err := roundTrip(t, client(t, upstream.Config{}), post(at, "x")); !errors.Is(err, upstream.ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReuse(t *testing.T) {
	both(t, func(t *testing.T, transport string) {
		at := serve(t, func(p *peer) {
			for {
				if r, _ := p.request(); r == nil {
					return
				}
				p.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n%d\r\n0\r\n\r\n", p.number))
			}
		})
		c := client(t, upstream.Config{Transport: transport})
		for i := range 5 {
			if _, body, err := roundTrip(t, c, post(at, "x")); err != nil || body != "0" {
				t.Fatalf("request %d: connection %s, %v", i, body, err)
			}
		}
	})
}

func TestNoReuse(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		wire string
		read bool
		want string
	}{
		"asked to close":        {"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\na", true, "1"},
		"version 1.0":           {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", true, "1"},
		"length and coding":     {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true, "1"},
		"204 with a length":     {"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", true, "1"},
		"204 with a coding":     {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", true, "1"},
		"204 of length 0":       {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", true, "0"},
		"bytes behind":          {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n", true, "1"},
		"closed in the body":    {"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\na", false, "1"},
		"closed, end is there":  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", false, "0"},
		"closed, rest is there": {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd", false, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := serve(t, func(p *peer) {
				for first := p.number == 0; ; first = false {
					if r, _ := p.request(); r == nil {
						return
					}
					if first {
						p.send(tt.wire)
					} else {
						p.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", p.number))
					}
				}
			})
			c := client(t, upstream.Config{})
			resp, err := c.Do(t.Context(), post(at, "x"))
			if err != nil {
				t.Fatal(err)
			}
			if tt.read {
				_, err = io.ReadAll(resp.Body)
			}
			if closeErr := resp.Body.Close(); err != nil || closeErr != nil {
				t.Fatal(err, closeErr)
			}
			if _, body, err := roundTrip(t, c, post(at, "x")); err != nil || body != tt.want {
				t.Errorf("connection %s, %v; want %s", body, err, tt.want)
			}
		})
	}
}

func TestStaleConnection(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	at := serve(t, func(p *peer) {
		p.request()
		p.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", p.number))
		if p.number == 0 {
			_ = p.Close()
			close(closed)
		}
	})
	c := client(t, upstream.Config{})
	if _, _, err := roundTrip(t, c, post(at, "x")); err != nil {
		t.Fatal(err)
	}
	<-closed
	if _, body, err := roundTrip(t, c, post(at, "x")); err != nil || body != "1" {
		t.Errorf("connection %s, %v", body, err)
	}
}

// A server that closes a kept connection only after it has received the next request's bytes.
func TestRetryOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		wire    string // sent before the second request's connection is closed
		noRetry bool
		body    string
		err     error
	}{
		"closed":           {"", false, "1", nil},
		"closed, no retry": {"", true, "", io.ErrUnexpectedEOF},
		"answer had begun": {"HTTP/1.1 2", false, "", io.ErrUnexpectedEOF},
		"interim had come": {"HTTP/1.1 100 Continue\r\n\r\n", false, "", io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := serve(t, func(p *peer) {
				p.request()
				p.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", p.number))
				p.request()
				p.send(tt.wire)
			})
			c := client(t, upstream.Config{})
			if _, body, err := roundTrip(t, c, post(at, "x")); err != nil || body != "0" {
				t.Fatal(body, err)
			}
			req := post(at, "x")
			req.NoRetry = tt.noRetry
			_, body, err := roundTrip(t, c, req)
			if !errors.Is(err, tt.err) || body != tt.body || err != nil && !isSent(t, err) {
				t.Errorf("got %q, %v", body, err)
			}
		})
	}
}

func TestNewConnectionIsNotRetried(t *testing.T) {
	t.Parallel()
	count := make(chan int, 9)
	at := serve(t, func(p *peer) {
		p.request()
		count <- p.number
	})
	_, _, err := roundTrip(t, client(t, upstream.Config{}), post(at, "x"))
	if !errors.Is(err, io.ErrUnexpectedEOF) || !isSent(t, err) || len(count) != 1 {
		t.Errorf("%v after %d connections", err, len(count))
	}
}

func TestCancel(t *testing.T) {
	why := errors.New("the client has left")
	both(t, func(t *testing.T, transport string) {
		for name, wire := range map[string]string{
			"before the head":  "",
			"in the head":      "HTTP/1.1 200 OK\r\n",
			"silent body":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
			"in a chunk":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
			"body with length": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
			"body until close": "HTTP/1.1 200 OK\r\n\r\nabc",
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancelCause(t.Context())
				gone := make(chan struct{})
				at := serve(t, func(p *peer) {
					p.request()
					p.send(wire)
					if !strings.Contains(wire, "\r\n\r\n") {
						cancel(why)
					}
					p.gone()
					close(gone)
				})
				resp, err := client(t, upstream.Config{Transport: transport}).Do(ctx, post(at, "x"))
				if err == nil {
					want := 0
					if strings.HasSuffix(wire, "abc") {
						want = 3
					}
					if _, err := io.ReadFull(resp.Body, make([]byte, want)); err != nil {
						t.Fatal(err)
					}
					done := make(chan error)
					go func() {
						_, err := resp.Body.Read(make([]byte, 100))
						done <- err
					}()
					cancel(why)
					err = <-done
					if closeErr := resp.Body.Close(); closeErr != nil {
						t.Error(closeErr)
					}
					if !errors.Is(err, why) {
						t.Errorf("got %v", err)
					}
				} else if !errors.Is(err, why) || !isSent(t, err) {
					t.Errorf("got %v", err)
				}
				<-gone // The server sees the close.
			})
		}
	})
}

func TestCancelWhileWriting(t *testing.T) {
	both(t, func(t *testing.T, transport string) {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("enough")
		started := make(chan struct{})
		hold := make(chan struct{})
		defer close(hold)
		at := serve(t, func(p *peer) {
			_, _ = p.in.ReadByte() // and no more of it
			close(started)
			<-hold
		})
		go func() {
			<-started
			cancel(why)
		}()
		_, err := client(t, upstream.Config{Transport: transport}).Do(ctx, post(at, strings.Repeat("x", 32<<20)))
		if !errors.Is(err, why) || !isSent(t, err) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCancelledBefore(t *testing.T) {
	both(t, func(t *testing.T, transport string) {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("too late")
		cancel(why)
		_, err := client(t, upstream.Config{Transport: transport}).Do(ctx, post(target(t, "http://127.0.0.1:1/"), "x"))
		if !errors.Is(err, why) || isSent(t, err) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCancelWhileDialling(t *testing.T) {
	both(t, func(t *testing.T, transport string) {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("too slow")
		_, err := client(t, upstream.Config{Transport: transport, Dial: func(dialing context.Context, _, _ string) (net.Conn, error) {
			cancel(why)
			<-dialing.Done()
			return nil, dialing.Err()
		}}).Do(ctx, post(target(t, "http://127.0.0.1:1/"), "x"))
		if !errors.Is(err, why) || isSent(t, err) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCloseWhileReading(t *testing.T) {
	both(t, func(t *testing.T, transport string) {
		gone := make(chan struct{})
		at := serve(t, func(p *peer) {
			p.request()
			p.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
			p.gone()
			close(gone)
		})
		resp, err := client(t, upstream.Config{Transport: transport}).Do(t.Context(), post(at, "x"))
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan error)
		first := make(chan struct{})
		go func() {
			_, _ = io.ReadFull(resp.Body, make([]byte, 1))
			close(first)
			_, err := resp.Body.Read(make([]byte, 1))
			read <- err
		}()
		<-first
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if err := <-read; !errors.Is(err, upstream.ErrBodyClosed) {
			t.Errorf("got %v", err)
		}
		<-gone
		if _, err := resp.Body.Read(make([]byte, 1)); !errors.Is(err, upstream.ErrBodyClosed) {
			t.Errorf("after Close: %v", err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestTimeouts(t *testing.T) {
	const soon = 100 * time.Millisecond
	both(t, func(t *testing.T, transport string) {
		silent := func(wire string) upstream.Target {
			return serve(t, func(p *peer) {
				p.request()
				p.send(wire)
				p.gone()
			})
		}
		t.Run("dial", func(t *testing.T) {
			c := client(t, upstream.Config{Transport: transport, DialTimeout: soon, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}})
			if _, _, err := roundTrip(t, c, post(target(t, "http://127.0.0.1:1/"), "x")); !errors.Is(err, upstream.ErrDialTimeout) || isSent(t, err) {
				t.Errorf("got %v", err)
			}
		})
		t.Run("tls", func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			at := serveOn(t, l, "https://"+l.Addr().String(), func(p *peer) { p.gone() })
			c := client(t, upstream.Config{Transport: transport, TLSTimeout: soon})
			if _, _, err := roundTrip(t, c, post(at, "x")); !errors.Is(err, upstream.ErrTLSTimeout) || isSent(t, err) {
				t.Errorf("got %v", err)
			}
		})
		t.Run("head", func(t *testing.T) {
			at := silent("")
			for _, size := range []int{1, 100 << 10} {
				later(t, func(limit time.Duration) error {
					c := client(t, upstream.Config{Transport: transport, HeaderTimeout: limit})
					_, _, err := roundTrip(t, c, post(at, strings.Repeat("x", size)))
					return err
				}, upstream.ErrHeaderTimeout)
			}
		})
		t.Run("write", func(t *testing.T) {
			hold := make(chan struct{})
			defer close(hold)
			at := serve(t, func(p *peer) { <-hold })
			later(t, func(limit time.Duration) error {
				c := client(t, upstream.Config{Transport: transport, HeaderTimeout: limit})
				_, _, err := roundTrip(t, c, post(at, strings.Repeat("x", 32<<20)))
				return err
			}, upstream.ErrHeaderTimeout)
		})
		t.Run("idle", func(t *testing.T) {
			at := silent("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
			req := post(at, "x")
			req.HeaderTimeout, req.IdleTimeout = time.Minute, soon
			_, body, err := roundTrip(t, client(t, upstream.Config{Transport: transport, IdleTimeout: time.Hour}), req)
			if !errors.Is(err, upstream.ErrIdleTimeout) || body != "abc" {
				t.Errorf("got %q, %v", body, err)
			}
		})
		t.Run("deadline of the context", func(t *testing.T) {
			later(t, func(limit time.Duration) error {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				_, err := client(t, upstream.Config{Transport: transport, HeaderTimeout: time.Hour}).Do(ctx, post(silent(""), "x"))
				return err
			}, context.DeadlineExceeded)
		})
	})
}

// later makes a request whose time runs out when it was sent, with more of it where it
// was not sent by then.
func later(t *testing.T, do func(limit time.Duration) error, want error) {
	t.Helper()
	for limit := 100 * time.Millisecond; ; limit *= 2 {
		err := do(limit)
		sent := isSent(t, err)
		if !sent && limit < 10*time.Second && errors.Is(err, want) {
			continue
		}
		if !errors.Is(err, want) || !sent {
			t.Errorf("got %v, sent %t", err, sent)
		}
		return
	}
}

func TestNotSent(t *testing.T) {
	both(t, func(t *testing.T, transport string) {
		// No port of the system's choice: another test may have it by then.
		_, _, err := roundTrip(t, client(t, upstream.Config{Transport: transport}), post(target(t, "http://127.0.0.1:1"), "x"))
		if err == nil || isSent(t, err) {
			t.Errorf("refused connection: %v", err)
		}
	})
}

// The server answers and stops reading while the request is being written.
func TestEarlyAnswer(t *testing.T) {
	both(t, func(t *testing.T, transport string) {
		hold := make(chan struct{})
		defer close(hold)
		at := serve(t, func(p *peer) {
			_, _ = p.in.ReadString('\n')
			p.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nlarge")
			<-hold
		})
		resp, body, err := roundTrip(t, client(t, upstream.Config{Transport: transport}), post(at, strings.Repeat("x", 32<<20)))
		if err != nil || resp.Status != 413 || body != "large" {
			t.Errorf("%v, %q, %v", resp, body, err)
		}
	})
}

func TestLargeBodies(t *testing.T) {
	both(t, func(t *testing.T, transport string) {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(body)
		}))
		t.Cleanup(srv.Close)
		c := client(t, upstream.Config{Transport: transport})
		for _, size := range []int{0, 1, 32<<10 - 1, 32 << 10, 32<<10 + 1, 1 << 20, 8 << 20} {
			want := bytes.Repeat([]byte("0123456"), size/7+1)[:size]
			_, body, err := roundTrip(t, c, &upstream.Request{Method: "POST", Target: target(t, srv.URL), Body: want})
			if err != nil || !bytes.Equal([]byte(body), want) {
				t.Errorf("%d bytes: %d, %v", size, len(body), err)
			}
		}
	})
}

func TestTLS(t *testing.T) {
	both(t, func(t *testing.T, transport string) {
		srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = fmt.Fprintf(w, "%s %d", r.Proto, len(body))
		}))
		t.Cleanup(srv.Close)
		roots := x509.NewCertPool()
		roots.AddCert(srv.Certificate())
		c := client(t, upstream.Config{Transport: transport, TLS: &tls.Config{RootCAs: roots}})
		for _, size := range []int{3, 500 << 10, 4} {
			_, body, err := roundTrip(t, c, post(target(t, srv.URL), strings.Repeat("x", size)))
			if want := fmt.Sprintf("HTTP/1.1 %d", size); err != nil || body != want {
				t.Errorf("got %q, %v; want %q", body, err, want)
			}
		}
		_, _, err := roundTrip(t, client(t, upstream.Config{Transport: transport}), post(target(t, srv.URL), "x"))
		var unknown x509.UnknownAuthorityError
		if !errors.As(err, &unknown) || isSent(t, err) {
			t.Errorf("unknown authority: %v", err)
		}
		_, _, err = roundTrip(t, client(t, upstream.Config{Transport: transport, TLS: &tls.Config{RootCAs: roots, ServerName: "other.invalid"}}), post(target(t, srv.URL), "x"))
		var name x509.HostnameError
		if !errors.As(err, &name) {
			t.Errorf("other name: %v", err)
		}
	})
}

func TestUnixSocket(t *testing.T) {
	both(t, func(t *testing.T, transport string) {
		path := filepath.Join(t.TempDir(), "s")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		at := serveOn(t, l, "http+unix://"+strings.ReplaceAll(path, "/", "%2F"), func(p *peer) {
			r, _ := p.request()
			p.send("HTTP/1.1 200 OK\r\n\r\n" + r.Host + r.RequestURI)
		})
		if _, body, err := roundTrip(t, client(t, upstream.Config{Transport: transport}), post(at, "x")); err != nil || body != "localhost/v1/chat?x=1" {
			t.Errorf("%q, %v", body, err)
		}
	})
}

func TestClose(t *testing.T) {
	both(t, func(t *testing.T, transport string) {
		gone := make(chan struct{}, 2)
		more := make(chan struct{})
		at := serve(t, func(p *peer) {
			p.request()
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
			if p.number == 1 {
				<-more
			}
			p.send("b")
			p.gone()
			gone <- struct{}{}
		})
		c := client(t, upstream.Config{Transport: transport})
		first, err := c.Do(t.Context(), post(at, "x"))
		if err != nil {
			t.Fatal(err)
		}
		second, err := c.Do(t.Context(), post(at, "x"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(first.Body); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		<-gone // The unused connection.
		if _, err := c.Do(t.Context(), post(at, "x")); !errors.Is(err, upstream.ErrClosed) || isSent(t, err) {
			t.Errorf("after Close: %v", err)
		}
		close(more)
		if body, err := io.ReadAll(second.Body); err != nil || string(body) != "ab" {
			t.Errorf("request under way: %q, %v", body, err)
		}
		if transport == upstream.TransportLean {
			<-gone // The one that was in use, once it is not.
		}
	})
}

// Requests that end in every way share one client; none may see another's answer.
func TestConcurrentRequests(t *testing.T) {
	both(t, func(t *testing.T, transport string) {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			for _, part := range bytes.SplitAfter(body, []byte(",")) {
				_, _ = w.Write(part)
				_ = http.NewResponseController(w).Flush()
			}
		}))
		t.Cleanup(srv.Close)
		c := client(t, upstream.Config{Transport: transport, MaxIdlePerHost: 4})
		at := target(t, srv.URL)
		var all sync.WaitGroup
		for g := range 16 {
			all.Go(func() {
				for i := range 30 {
					want := fmt.Sprintf("%d,%d,%s", g, i, strings.Repeat("x", i*g*100))
					ctx, cancel := context.WithCancel(t.Context())
					resp, err := c.Do(ctx, post(at, want))
					if err != nil {
						t.Error(err)
						cancel()
						continue
					}
					switch i % 4 {
					case 0: // leave early
						_ = resp.Body.Close()
					case 1: // cancel in the midst
						_, _ = io.ReadFull(resp.Body, make([]byte, 2))
						go cancel()
						if body, err := io.ReadAll(resp.Body); err == nil && string(body) != want[2:] {
							t.Errorf("got %.20q, want %.20q", body, want[2:])
						}
					default:
						if body, err := io.ReadAll(resp.Body); err != nil || string(body) != want {
							t.Errorf("got %.20q, %v; want %.20q", body, err, want)
						}
					}
					_ = resp.Body.Close()
					cancel()
				}
			})
		}
		all.Wait()
	})
}
