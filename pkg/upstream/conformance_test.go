package upstream_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
