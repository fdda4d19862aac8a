package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

// sink takes what a body hands on.
type sink struct {
	got   strings.Builder
	taken chan string // each piece; nil where nobody waits for it
	limit int         // refuses what begins behind it; 0 for none
}

var errFull = errors.New("enough")

func (s *sink) Write(p []byte) (int, error) {
	if s.limit > 0 && s.got.Len() >= s.limit {
		return 0, errFull
	}
	s.got.Write(p)
	if s.taken != nil {
		s.taken <- string(p)
	}
	return len(p), nil
}

func writeTo(t *testing.T, resp *upstream.Response, w io.Writer) error {
	t.Helper()
	_, err := resp.Body.(io.WriterTo).WriteTo(w)
	return err
}

const chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

func TestWriteTo(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789abcdef", 20_000)
	tests := []struct {
		name string
		wire []string // pieces that are sent one after the other
		body string
		err  error
	}{
		{"chunks", []string{chunkedHead, "3\r\nabc\r\n", "1\r\nd\r\n", "0\r\n\r\n"}, "abcd", nil},
		{"at once", []string{chunkedHead + "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"}, "abcd", nil},
		{"cut anywhere", []string{chunkedHead + "3", "\r\na", "b", "c\r", "\n", "1;x\r\nd\r\n0\r\nT: 1\r\n", "\r\n"}, "abcd", nil},
		{"a big chunk", []string{chunkedHead, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(big), big)}, big, nil},
		{"a big chunk at once", []string{fmt.Sprintf("%s%x\r\n%s\r\n0\r\n\r\n", chunkedHead, len(big), big)}, big, nil},
		{"a big chunk, cut", []string{fmt.Sprintf("%s%x\r\n%s", chunkedHead, len(big)+1, big)}, big, io.ErrUnexpectedEOF},
		{"length", []string{"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nab", "cd", "ef"}, "abcdef", nil},
		{"big with length", []string{fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(big)), big}, big, nil},
		{"big with length, at once", []string{fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(big), big)}, big, nil},
		{"big until close", []string{"HTTP/1.1 200 OK\r\n\r\n" + big}, big, nil},
		{"until close", []string{"HTTP/1.1 200 OK\r\n\r\n", "abc", "d"}, "abcd", nil},
		{"empty", []string{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, "", nil},
		{"cut length", []string{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "abc"}, "abc", io.ErrUnexpectedEOF},
		{"cut chunk", []string{chunkedHead, "5\r\nabc"}, "abc", io.ErrUnexpectedEOF},
		{"cut between chunks", []string{chunkedHead, "3\r\nabc\r\n"}, "abc", io.ErrUnexpectedEOF},
		{"malformed", []string{chunkedHead, "3\r\nabc\r\n", "1\r\ndX"}, "abcd", upstream.ErrProtocol},
	}
	for _, secure := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s tls %t", tt.name, secure), func(t *testing.T) {
				t.Parallel()
				handle := func(p *peer) {
					p.request()
					for _, piece := range tt.wire {
						p.send(piece)
					}
				}
				cfg := upstream.Config{}
				at := upstream.Target{}
				if secure {
					at, cfg.TLS = serveTLS(t, handle)
				} else {
					at = serve(t, handle)
				}
				resp, err := client(t, cfg).Do(t.Context(), post(at, "x"))
				if err != nil {
					t.Fatal(err)
				}
				var s sink
				err = writeTo(t, resp, &s)
				if !errors.Is(err, tt.err) || s.got.String() != tt.body {
					t.Errorf("%d bytes, %v; want %d, %v", s.got.Len(), err, len(tt.body), tt.err)
				}
				if err != nil && !isSent(t, err) {
					t.Error("not sent")
				}
				if again := writeTo(t, resp, &s); !errors.Is(again, tt.err) {
					t.Errorf("again: %v", again)
				}
				if err := resp.Body.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// serveTLS is serve over TLS, with a configuration that trusts it.
func serveTLS(t *testing.T, handle func(p *peer)) (upstream.Target, *tls.Config) {
	t.Helper()
	model := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	t.Cleanup(model.Close)
	roots := x509.NewCertPool()
	roots.AddCert(model.Certificate())
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: model.TLS.Certificates, DynamicRecordSizingDisabled: true})
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, "https://"+l.Addr().String(), handle), &tls.Config{RootCAs: roots}
}

// The end of a connection that comes together with its last bytes is seen.
func TestWriteToSeesTheEndBehindBytes(t *testing.T) {
	t.Parallel()
	for _, reset := range []bool{false, true} {
		t.Run(fmt.Sprintf("reset %t", reset), func(t *testing.T) {
			t.Parallel()
			first, goOn := make(chan string), make(chan struct{})
			at := serve(t, func(p *peer) {
				p.request()
				p.send(chunkedHead + "1\r\na\r\n")
				<-goOn // the client is busy with the first piece
				p.send("1\r\nb\r\n")
				if reset {
					_ = p.Conn.(*net.TCPConn).SetLinger(0)
				}
				_ = p.Close()
			})
			resp, err := client(t, upstream.Config{}).Do(t.Context(), post(at, "x"))
			if err != nil {
				t.Fatal(err)
			}
			s := sink{taken: first}
			done := make(chan error)
			go func() { done <- writeTo(t, resp, &s) }()
			<-first
			close(goOn)
			for err = nil; err == nil; {
				select {
				case <-first:
				case err = <-done:
				}
			}
			var e *upstream.Error
			if !errors.As(err, &e) || !reset && (!errors.Is(err, io.ErrUnexpectedEOF) || s.got.String() != "ab") {
				t.Errorf("%q, %v", s.got.String(), err)
			}
			_ = resp.Body.Close()
		})
	}
}

func TestWriteToIsCancelled(t *testing.T) {
	t.Parallel()
	why := errors.New("the client has left")
	for _, head := range []string{chunkedHead + "1\r\na\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\na", "HTTP/1.1 200 OK\r\n\r\na"} {
		for _, within := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d within %t", len(head), within), func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancelCause(t.Context())
				gone := make(chan struct{})
				at := serve(t, func(p *peer) {
					p.request()
					p.send(head)
					p.gone()
					close(gone)
				})
				resp, err := client(t, upstream.Config{}).Do(ctx, post(at, "x"))
				if err != nil {
					t.Fatal(err)
				}
				done, taken := make(chan error, 1), make(chan string)
				go func() { done <- writeTo(t, resp, &sink{taken: taken}) }()
				if within {
					cancel(why)
					<-gone // though the piece is not taken yet
				}
				<-taken
				cancel(why)
				if err := <-done; !errors.Is(err, why) {
					t.Errorf("got %v", err)
				}
				if err := resp.Body.Close(); err != nil {
					t.Error(err)
				}
				<-gone
			})
		}
	}
}

func TestWriteToIsClosed(t *testing.T) {
	t.Parallel()
	at := serve(t, func(p *peer) {
		p.request()
		p.send(chunkedHead + "1\r\na\r\n")
		p.gone()
	})
	resp, err := client(t, upstream.Config{}).Do(t.Context(), post(at, "x"))
	if err != nil {
		t.Fatal(err)
	}
	done, taken := make(chan error), make(chan string)
	go func() { done <- writeTo(t, resp, &sink{taken: taken}) }()
	<-taken
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, upstream.ErrBodyClosed) {
		t.Errorf("got %v", err)
	}
	if err := writeTo(t, resp, &sink{}); !errors.Is(err, upstream.ErrBodyClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// What a writer refused is behind it; the rest can be read, and the connection be used again.
func TestWriteToIsRefused(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	at := serve(t, func(p *peer) {
		p.request()
		p.send(chunkedHead)
		for _, piece := range []string{"a", "b", "c"} {
			<-next
			p.send("1\r\n" + piece + "\r\n")
		}
		p.send("0\r\n\r\n")
		p.request()
		p.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", p.number))
	})
	c := client(t, upstream.Config{})
	resp, err := c.Do(t.Context(), post(at, "x"))
	if err != nil {
		t.Fatal(err)
	}
	done, taken := make(chan error), make(chan string)
	s := sink{taken: taken, limit: 1}
	go func() { done <- writeTo(t, resp, &s) }()
	next <- struct{}{}
	<-taken
	next <- struct{}{}
	if err := <-done; !errors.Is(err, errFull) || s.got.String() != "a" {
		t.Fatalf("%q, %v", s.got.String(), err)
	}
	next <- struct{}{}
	if rest, err := io.ReadAll(iotest.OneByteReader(resp.Body)); err != nil || string(rest) != "c" {
		t.Fatalf("the rest: %q, %v", rest, err)
	}
	if _, body, err := roundTrip(t, c, post(at, "x")); err != nil || body != "0" {
		t.Errorf("connection %q, %v", body, err)
	}
}

// Bytes behind an answer are no part of the next one.
func TestWriteToLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	at := serve(t, func(p *peer) {
		p.request()
		p.send(fmt.Sprintf(chunkedHead+"1\r\n%d\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n", p.number))
		p.gone()
	})
	c := client(t, upstream.Config{})
	for want := range 2 {
		resp, err := c.Do(t.Context(), post(at, "x"))
		if err != nil {
			t.Fatal(err)
		}
		var s sink
		if err := writeTo(t, resp, &s); err != nil || s.got.String() != fmt.Sprint(want) {
			t.Errorf("%q, %v", s.got.String(), err)
		}
	}
}
