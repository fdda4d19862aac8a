package http1

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestClientLeaves holds that the context of what a client waits for ends when it
// leaves, and when it said before that it will send no more.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	begun, ended := make(chan struct{}), make(chan error, 1)
	_, address := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		select {
		case <-r.Context().Done():
			ended <- context.Cause(r.Context())
		case <-time.After(patience):
			ended <- nil
		}
	}), nil)
	const request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
	for name, leave := range map[string]func(c *client){
		"close":       func(c *client) { _ = c.Close() },
		"reset":       func(c *client) { _ = c.Conn.(*net.TCPConn).SetLinger(0); _ = c.Close() },
		"half closed": func(c *client) { _ = c.Conn.(*net.TCPConn).CloseWrite() },
	} {
		c := dial(t, address)
		c.send(request)
		await(t, begun)
		leave(c)
		if err := await(t, ended); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := dial(t, address)
	c.send(request)
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	await(t, begun)
	if err := await(t, ended); !errors.Is(err, context.Canceled) {
		t.Errorf("half closed at once: %v", err)
	}
	if resp, _ := c.answer("POST"); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	c.closed()
}

// TestContextEnds holds that a request's context ends with its handler, and with
// the server's base, whose cause it has.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	base, end := context.WithCancelCause(t.Context())
	defer end(nil)
	kept := make(chan context.Context, 1)
	_, address := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		kept <- r.Context()
		if r.URL.Path == "/wait" {
			<-r.Context().Done()
		}
	}), func(c *Config) { c.Base = base })
	c := dial(t, address)
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	c.answer("GET")
	await(t, (<-kept).Done())
	c.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
	ctx := await(t, kept)
	why := errors.New("why")
	end(why)
	c.answer("GET")
	if got := context.Cause(ctx); got != why {
		t.Error(got)
	}
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}), make(chan struct{})
	s, address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			begun <- struct{}{}
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(w, "whole")
	}), nil)
	idle, fresh, odd, busy := dial(t, address), dial(t, address), dial(t, address), dial(t, address)
	idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	idle.answer("GET")
	odd.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
	odd.answer("GET")
	busy.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
	await(t, begun)
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(within(t)) }()
	idle.closed()
	fresh.closed()
	odd.closed()
	select {
	case err := <-done:
		t.Fatal("it did not wait:", err)
	default:
	}
	close(release)
	if resp, body := busy.answer("GET"); body != "whole" || !resp.Close {
		t.Errorf("%q %v", body, resp.Close)
	}
	busy.closed()
	if err := await(t, done); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("it still listens")
	}
	if err := s.Serve(listen(t)); !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

func TestShutdownGivesUp(t *testing.T) {
	t.Parallel()
	begun, ended := make(chan struct{}), make(chan struct{})
	s, address := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		close(ended)
	}), nil)
	c := dial(t, address)
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	await(t, begun)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	default:
		t.Error("Close did not wait for the handler")
	}
}

// TestTimeouts holds that who sends nothing, or no whole head, is closed in time,
// and whose body takes its time is served.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	const soon = 50 * time.Millisecond
	_, address := serve(t, http.HandlerFunc(describe), func(c *Config) { c.IdleTimeout, c.HeadTimeout = soon, soon })
	// Its head must have come in time, which on a busy machine is not soon.
	_, patient := serve(t, http.HandlerFunc(describe), func(c *Config) { c.BodyWait = soon })
	silent, half, late := dial(t, address), dial(t, address), dial(t, patient)
	half.send("GET / HTTP/1.1\r\nHo")
	late.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
	silent.closed()
	half.closed()
	late.send("cd")
	if _, body := late.answer("POST"); !strings.Contains(body, `body="abcd"`) {
		t.Error(body)
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	_, address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begun" {
			_, _ = io.WriteString(w, "a part")
			w.(http.Flusher).Flush()
		}
		panic(http.ErrAbortHandler)
	}), nil)
	c := dial(t, address)
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	c.closed()
	c = dial(t, address)
	c.send("GET /begun HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); string(body) != "a part" || err == nil {
		t.Errorf("%q, %v", body, err)
	}
}
