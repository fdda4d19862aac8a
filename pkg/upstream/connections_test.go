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

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

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
