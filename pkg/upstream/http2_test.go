package upstream_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

// stream is one request that reached an HTTP/2 server.
type stream struct {
	*http2.Framer
	id     uint32
	number int // of the request, over all connections, from 1
	conn   int // from 0
}

func (s stream) head(end bool) {
	var block bytes.Buffer
	_ = hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end})
}

func (s stream) answer(text string) {
	s.head(false)
	_ = s.WriteData(s.id, true, []byte(text))
}

// serveHTTP2 runs a server of bare frames. handle is called with every whole request.
func serveHTTP2(t *testing.T, handle func(s stream)) (upstream.Target, *tls.Config) {
	t.Helper()
	signer := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(signer.Close)
	roots := x509.NewCertPool()
	roots.AddCert(signer.Certificate())
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := tls.NewListener(plain, &tls.Config{Certificates: signer.TLS.Certificates, NextProtos: []string{"h2"}})
	var count atomic.Int32
	return serveOn(t, l, "https://"+plain.Addr().String(), func(p *peer) {
		if _, err := io.ReadFull(p.in, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		framer := http2.NewFramer(p, p.in)
		_ = framer.WriteSettings()
		for {
			frame, err := framer.ReadFrame()
			if err != nil {
				return
			}
			switch f := frame.(type) {
			case *http2.SettingsFrame:
				if !f.IsAck() {
					_ = framer.WriteSettingsAck()
				}
			case *http2.HeadersFrame, *http2.DataFrame:
				if flags := frame.Header().Flags; flags.Has(http2.FlagDataEndStream) {
					handle(stream{framer, frame.Header().StreamID, int(count.Add(1)), p.number})
				}
			}
		}
	}), &tls.Config{RootCAs: roots}
}

// TestHTTP2NotBegun: what an HTTP/2 server says that it did not begin is sent again at once, and once; what it may have
// begun is not.
func TestHTTP2NotBegun(t *testing.T) {
	t.Parallel()
	goAway := func(code http2.ErrCode, below uint32) func(stream) {
		return func(s stream) {
			if s.conn > 0 {
				s.answer("second connection")
				return
			}
			_ = s.WriteGoAway(s.id-below, code, nil)
		}
	}
	refuse := func(times int) func(stream) {
		return func(s stream) {
			if s.number <= times {
				_ = s.WriteRSTStream(s.id, http2.ErrCodeRefusedStream)
				return
			}
			s.answer("taken")
		}
	}
	for name, test := range map[string]struct {
		handle  func(stream)
		noRetry bool
		want    string // the answer; empty for an error
		calls   int32
		sent    bool
	}{
		"going away":                  {handle: goAway(http2.ErrCodeNo, 1), want: "second connection", calls: 2},
		"going away, never again":     {handle: goAway(http2.ErrCodeNo, 1), noRetry: true, calls: 1},
		"going away with an error":    {handle: goAway(http2.ErrCodeEnhanceYourCalm, 1), calls: 1},
		"refused":                     {handle: refuse(1), want: "taken", calls: 2},
		"refused, never again":        {handle: refuse(1), noRetry: true, calls: 1},
		"refused twice":               {handle: refuse(2), calls: 2},
		"reset before the head":       {handle: func(s stream) { _ = s.WriteRSTStream(s.id, http2.ErrCodeInternal) }, calls: 1, sent: true},
		"refused behind the head":     {handle: func(s stream) { s.head(false); refuse(99)(s) }, calls: 1, sent: true},
		"reset behind the head":       {handle: func(s stream) { s.head(false); _ = s.WriteRSTStream(s.id, http2.ErrCodeCancel) }, calls: 1, sent: true},
		"going away, and then silent": {handle: goAway(http2.ErrCodeNo, 0), calls: 1, sent: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := new(atomic.Int32)
			ask := func(patience time.Duration) (body string, err error) {
				counted := new(atomic.Int32) // a server of before may be asked late
				calls = counted
				to, config := serveHTTP2(t, func(s stream) {
					counted.Add(1)
					test.handle(s)
				})
				c := client(t, upstream.Config{Transport: upstream.TransportStandard, HTTP2: true, TLS: config})
				req := post(to, `{"prompt":"once"}`)
				req.NoRetry, req.HeaderTimeout = test.noRetry, patience
				_, body, err = roundTrip(t, c, req)
				return body, err
			}
			begun, patience := time.Now(), time.Hour
			if name == "going away, and then silent" {
				patience = 200 * time.Millisecond
			}
			body, err := ask(patience)
			for test.sent && calls.Load() == 0 && patience < time.Hour { // the time ran out before it was sent: anew
				patience *= 2
				body, err = ask(patience)
			}
			if test.want != "" {
				if err != nil || body != test.want {
					t.Errorf("%q, %v", body, err)
				}
			} else if failure := (*upstream.Error)(nil); !errors.As(err, &failure) || failure.Sent != test.sent {
				t.Errorf("%q, %v (%+v), want sent %t", body, err, failure, test.sent)
			}
			if n := calls.Load(); n != test.calls {
				t.Errorf("%d calls after %v, want %d", n, time.Since(begun), test.calls)
			}
		})
	}
}
