package http1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}

// TestLikeStandard holds that a client cannot tell which server it has: one that
// serves the request itself, one that leaves it to net/http, or net/http.
func TestLikeStandard(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 100<<10)
	mux := http.NewServeMux()
	mux.HandleFunc("/told", describe)
	mux.HandleFunc("/empty", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/none", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("/same", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) })
	mux.HandleFunc("/length", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		w.Header()["X-Many"] = []string{"1", "2"}
		w.Header().Set("X-Lines", "a\r\nb: c")
		w.WriteHeader(404)
		w.Header().Set("X-Late", "1")
		_, _ = io.WriteString(w, "hello")
		if _, err := io.WriteString(w, "!"); !errors.Is(err, http.ErrContentLength) {
			t.Error(err)
		}
	})
	mux.HandleFunc("/typed", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/x")
		w.Header().Set("Date", "today")
		_, _ = io.WriteString(w, "<html>")
	})
	mux.HandleFunc("/sniffed", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	mux.HandleFunc("/pieces", func(w http.ResponseWriter, _ *http.Request) {
		for i := range 5 {
			fmt.Fprintf(w, "piece %d\n", i)
			_, _ = w.Write(nil)
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		}
	})
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, long) })
	mux.HandleFunc("/longknown", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(long)))
		_, _ = io.WriteString(w, long)
	})
	mux.HandleFunc("/short", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, _ = io.WriteString(w, "hell")
	})
	mux.HandleFunc("/close", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	mux.HandleFunc("/chunked", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Transfer-Encoding", "chunked")
		_, _ = io.WriteString(w, "x")
	})
	own := http.Handler(mux)
	_, mine := serve(t, own, nil)
	standard := serveStandard(t, own)
	for name, request := range map[string]string{
		"get":             "GET /told?a=1&b=%20 HTTP/1.1\r\nHost: x\r\nUser-Agent: t\r\n\r\n",
		"post":            "POST /told HTTP/1.1\r\nHost: x:80\r\nContent-Length: 3\r\ncontent-type: a/b\r\n\r\nabc",
		"large":           "POST /told HTTP/1.1\r\nHost: x\r\nContent-Length: 102400\r\n\r\n" + long,
		"larger":          "POST /told HTTP/1.1\r\nHost: x\r\nContent-Length: 2048000\r\n\r\n" + strings.Repeat(long, 20),
		"no body":         "POST /told HTTP/1.1\r\nHost: x\r\n\r\n",
		"body of 0":       "POST /told HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		"chunked":         "POST /told HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"1.0":             "GET /told HTTP/1.0\r\n\r\n",
		"1.0 kept":        "GET /told HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"close":           "GET /told HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"kept":            "GET /told HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive\r\n\r\n",
		"upgrade":         "GET /told HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"many":            "GET /told HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\na: 3\r\n\r\n",
		"lower case":      "GET /told HTTP/1.1\r\nhost: x\r\nx-request-id:\t abc \t\r\n\r\n",
		"odd path":        "GET /a//b/%2e%2E/../c HTTP/1.1\r\nHost: x\r\n\r\n",
		"absolute":        "GET http://y/told HTTP/1.1\r\nHost: x\r\n\r\n",
		"star":            "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		"head":            "HEAD /told HTTP/1.1\r\nHost: x\r\n\r\n",
		"head of length":  "HEAD /length HTTP/1.1\r\nHost: x\r\n\r\n",
		"head of pieces":  "HEAD /pieces HTTP/1.1\r\nHost: x\r\n\r\n",
		"delete":          "DELETE /told HTTP/1.1\r\nHost: x\r\n\r\n",
		"own method":      "abc /told HTTP/1.1\r\nHost: x\r\n\r\n",
		"bare lines":      "GET /told HTTP/1.1\nHost: x\n\n",
		"mixed lines":     "GET /told HTTP/1.1\r\nHost: x\n\r\n",
		"no host":         "GET /told HTTP/1.1\r\n\r\n",
		"two hosts":       "GET /told HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"bad host":        "GET /told HTTP/1.1\r\nHost: a b\r\n\r\n",
		"two lengths":     "POST /told HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		"same lengths":    "POST /told HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
		"bad length":      "POST /told HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
		"length, chunked": "POST /told HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"expect":          "POST /told HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
		"bad name":        "GET /told HTTP/1.1\r\nHost: x\r\nA B: 1\r\n\r\n",
		"space at colon":  "GET /told HTTP/1.1\r\nHost: x\r\nA : 1\r\n\r\n",
		"folded":          "GET /told HTTP/1.1\r\nHost: x\r\nA: 1\r\n 2\r\n\r\n",
		"bad value":       "GET /told HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n",
		"bytes":           "GET /told HTTP/1.1\r\nHost: x\r\nA: \xc3\xa4\r\n\r\n",
		"long head":       "GET /told HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 20<<10) + "\r\n\r\n",
		"too long a head": "GET /told HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 2<<20) + "\r\n\r\n",
		"no request":      "hello, this is no request\r\n\r\n",
		"bad version":     "GET /told HTTP/1.2\r\nHost: x\r\n\r\n",
		"empty":           "GET /empty HTTP/1.1\r\nHost: x\r\n\r\n",
		"none":            "GET /none HTTP/1.1\r\nHost: x\r\n\r\n",
		"same":            "GET /same HTTP/1.1\r\nHost: x\r\n\r\n",
		"length":          "GET /length HTTP/1.1\r\nHost: x\r\n\r\n",
		"typed":           "GET /typed HTTP/1.1\r\nHost: x\r\n\r\n",
		"sniffed":         "GET /sniffed HTTP/1.1\r\nHost: x\r\n\r\n",
		"pieces":          "GET /pieces HTTP/1.1\r\nHost: x\r\n\r\n",
		"long":            "GET /long HTTP/1.1\r\nHost: x\r\n\r\n",
		"long and known":  "GET /longknown HTTP/1.1\r\nHost: x\r\n\r\n",
		"told to close":   "GET /close HTTP/1.1\r\nHost: x\r\n\r\n",
		"chunked answer":  "GET /chunked HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, want := asked(t, mine, request, false), asked(t, standard, request, false)
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if len(request) > 10<<10 {
				return
			}
			if slow := asked(t, mine, request, true); slow != want {
				t.Errorf("byte for byte\n%s\nwant\n%s", slow, want)
			}
		})
	}
	t.Run("short", func(t *testing.T) {
		t.Parallel()
		for _, address := range []string{mine, standard} {
			c := dial(t, address)
			c.send("GET /short HTTP/1.1\r\nHost: x\r\n\r\n")
			resp, err := http.ReadResponse(c.r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(resp.Body); string(body) != "hell" || err != io.ErrUnexpectedEOF {
				t.Errorf("%q, %v", body, err)
			}
		}
	})
}

// asked sends a request and a second one, and tells what came.
func asked(t *testing.T, address, request string, slowly bool) string {
	t.Helper()
	c := dial(t, address)
	method, _, _ := strings.Cut(request, " ")
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if !slowly {
			_, _ = io.WriteString(c, request)
			return
		}
		for i := range len(request) {
			_, _ = io.WriteString(c, request[i:i+1])
		}
	}()
	var out strings.Builder
	for i := range 2 {
		resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
		if err == nil && resp.StatusCode == 100 {
			resp, err = http.ReadResponse(c.r, &http.Request{Method: method})
		}
		if err != nil {
			fmt.Fprintln(&out, "over")
			break
		}
		body, err := io.ReadAll(resp.Body)
		if resp.Close && errors.Is(err, syscall.ECONNRESET) {
			err = nil // of a refused request, whose rest nobody reads
		}
		if date := resp.Header["Date"]; date != nil && date[0] != "today" {
			date[0] = "some"
		}
		fmt.Fprintln(&out, resp.Status, resp.Proto, resp.ContentLength, resp.TransferEncoding, resp.Close, resp.Header, string(body), err)
		if i == 0 {
			<-sent
			_, _ = io.WriteString(c, "GET /empty HTTP/1.1\r\nHost: x\r\n\r\n")
			method = "GET"
		}
	}
	_ = c.Close()
	<-sent
	return out.String()
}

func TestPipelined(t *testing.T) {
	t.Parallel()
	_, address := serve(t, http.HandlerFunc(describe), nil)
	c := dial(t, address)
	c.send(strings.Repeat("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", 500) + "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nho\r\n0\r\n\r\n")
	for range 500 {
		if _, body := c.answer("POST"); !strings.Contains(body, `path="/a"`) || !strings.Contains(body, `body="hi"`) {
			t.Fatal(body)
		}
	}
	if _, body := c.answer("POST"); !strings.Contains(body, `path="/b"`) || !strings.Contains(body, `body="ho"`) {
		t.Fatal(body)
	}
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	_, address := serve(t, http.HandlerFunc(describe), nil)
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("http://" + address + "/two")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.ProtoMajor != 2 || !bytes.Contains(body, []byte(`path="/two"`)) {
		t.Errorf("%s %s", resp.Proto, body)
	}
}

// TestClientThatDoesNotRead holds that a write deadline ends a write.
func TestClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	_, address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		var err error
		for piece := make([]byte, 1<<20); err == nil; {
			_, err = w.Write(piece)
		}
		if r.Context().Err() == nil {
			t.Error("the context lasts")
		}
		failed <- err
	}), nil)
	c := dial(t, address)
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if err := await(t, failed); !isTimeout(errors.Unwrap(err)) && !isTimeout(err) {
		t.Error(err)
	}
}

// TestDeadlineOfOneAnswer holds that a write deadline is the answer's that asked
// for it, unless a later one takes it over.
func TestDeadlineOfOneAnswer(t *testing.T) {
	t.Parallel()
	_, address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := w.(*answer)
		switch r.URL.Path {
		case "/bound":
			until := time.Now().Add(time.Minute)
			_ = a.SetWriteDeadline(until)
			if !a.WriteDeadline().Equal(until) {
				t.Error("another deadline stands")
			}
		case "/taken":
			if left := time.Until(a.WriteDeadline()); left < time.Second || left > time.Minute {
				t.Errorf("%v are left", left)
			}
		case "/over":
			// As if the time were up between two answers.
			_ = a.conn.nc.SetWriteDeadline(past)
		case "/none":
			w.WriteHeader(http.StatusNoContent)
		}
	}), nil)
	c := dial(t, address)
	for _, path := range []string{"/bound", "/taken", "/bound", "/over", "/none"} {
		c.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(path, err)
		}
		_ = resp.Body.Close()
	}
}

// counted counts writes.
type counted struct {
	*net.TCPConn
	writes *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.TCPConn.Write(p)
}

type counting struct {
	net.Listener
	writes atomic.Int64
}

func (l *counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return counted{c.(*net.TCPConn), &l.writes}, nil
}

// TestOneWrite holds that an answer is one write, and a piece of one is one; the
// last piece leaves with what ends it.
func TestOneWrite(t *testing.T) {
	t.Parallel()
	l := &counting{Listener: listen(t)}
	long := strings.Repeat("a", 40<<10)
	_, address := serveOn(t, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/pieces":
			for range 3 {
				_, _ = io.WriteString(w, "a piece")
				w.(http.Flusher).Flush()
			}
		case "/long":
			for range 2 {
				_, _ = io.WriteString(w, "the beginning of a piece")
				_, _ = io.WriteString(w, long)
				w.(http.Flusher).Flush()
			}
		}
		_, _ = io.WriteString(w, "the last")
	}), nil)
	c := dial(t, address)
	for path, want := range map[string]int64{"/": 1, "/pieces": 4, "/long": 3} {
		before := l.writes.Load()
		c.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
		c.answer("GET")
		if got := l.writes.Load() - before; got != want {
			t.Errorf("%s: %d writes, want %d", path, got, want)
		}
	}
}

// TestMany lets clients ask, leave, half-close and send in pieces, all at once.
func TestMany(t *testing.T) {
	t.Parallel()
	_, address := serve(t, http.HandlerFunc(describe), nil)
	var clients sync.WaitGroup
	for i := range 32 {
		clients.Go(func() {
			for j := range 20 {
				c, err := net.Dial("tcp", address)
				if err != nil {
					t.Error(err)
					return
				}
				_ = c.SetDeadline(time.Now().Add(patience))
				request := fmt.Sprintf("POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n%s", i, strings.Repeat("b", 9000))
				cut := (i*977 + j*131) % len(request)
				_, _ = io.WriteString(c, request[:cut])
				if j%5 != 4 {
					_, _ = io.WriteString(c, request[cut:])
					if j%5 == 3 {
						_ = c.(*net.TCPConn).CloseWrite()
					}
					got := make([]byte, 9100)
					if _, err := io.ReadFull(c, got); err != nil || !bytes.HasPrefix(got, []byte("HTTP/1.1 200 OK\r\n")) || !bytes.Contains(got, fmt.Appendf(nil, `path="/%d"`, i)) {
						t.Errorf("%v: %.200q", err, got)
					}
				}
				_ = c.Close()
			}
		})
	}
	clients.Wait()
}
