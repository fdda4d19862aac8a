package http1

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"
)

// tellingListener is a listener whose connections tell until when they wait.
type tellingListener struct {
	net.Listener
	until chan time.Time
}

func (l *tellingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tellingConn{c.(*net.TCPConn), l.until}, nil
}

type tellingConn struct {
	*net.TCPConn
	until chan time.Time
}

func (c *tellingConn) SetReadDeadline(t time.Time) error {
	err := c.TCPConn.SetReadDeadline(t)
	c.until <- t
	return err
}

// partly waits until a connection waits for the rest of a request, and returns until when.
func (l *tellingListener) partly(t *testing.T) time.Time {
	t.Helper()
	for {
		if until := await(t, l.until); time.Until(until) < 10*patience {
			return until // who waits for a request to begin has more patience
		}
	}
}

// TestNextRequestHasItsTime holds that a request which comes right behind another has as
// much time to come as that had.
func TestNextRequestHasItsTime(t *testing.T) {
	t.Parallel()
	for name, parts := range map[string][3]string{
		"head": {"GET / HTTP/1.1\r\nHos", "t: x\r\n\r\nGET / HTTP/1.1\r\n", "Host: x\r\n\r\n"},
		"body": {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na", "bPOST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na", "b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &tellingListener{listen(t), make(chan time.Time, 100)}
			_, address := serveOn(t, l, http.HandlerFunc(describe), func(c *Config) { c.IdleTimeout = 100 * patience })
			c := dial(t, address)
			c.send(parts[0])
			first := l.partly(t)
			c.send(parts[1])
			c.answer("GET")
			if next := l.partly(t); !next.After(first) {
				t.Error("the second request has what the first one left of its time")
			}
			c.send(parts[2])
			c.answer("GET")
		})
	}
}

// TestShutdownLetsRequestsCome holds that a request of which a part has come when the
// server is shut down is answered.
func TestShutdownLetsRequestsCome(t *testing.T) {
	t.Parallel()
	l := &tellingListener{listen(t), make(chan time.Time, 100)}
	s, address := serveOn(t, l, http.HandlerFunc(describe), func(c *Config) { c.IdleTimeout = 100 * patience })
	head, body, idle := dial(t, address), dial(t, address), dial(t, address)
	head.send("GET / HTTP/1.1\r\nHos")
	l.partly(t)
	body.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
	l.partly(t)
	idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	idle.answer("GET")
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(within(t)) }()
	idle.closed()
	head.send("t: x\r\n\r\n")
	body.send("b")
	for _, c := range []*client{head, body} {
		if resp, _ := c.answer("GET"); resp.StatusCode != http.StatusOK || !resp.Close {
			t.Errorf("%s, close %v", resp.Status, resp.Close)
		}
		c.closed()
	}
	if err := await(t, done); err != nil {
		t.Error(err)
	}
}

// TestAllWaitersHear holds that the last connection's end is told to all who wait for it.
func TestAllWaitersHear(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	last, done := new(conn), make(chan error, 3)
	s.conns[last] = struct{}{}
	for range cap(done) {
		go func() { done <- s.wait(context.Background()) }()
	}
	s.drop(last)
	for range cap(done) {
		if err := await(t, done); err != nil {
			t.Error(err)
		}
	}
}
