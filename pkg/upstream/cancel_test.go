package upstream_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

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
