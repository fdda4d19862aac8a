package http1

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"
)

const plain = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// asks sends a request and reads its answer.
func (c *client) asks() {
	c.t.Helper()
	c.send(plain)
	if resp, _ := c.answer("GET"); resp.StatusCode != 200 {
		c.t.Fatalf("status %d", resp.StatusCode)
	}
}

// rests waits until the server knows that the connection waits for another request:
// the answer is there before.
func (c *client) rests(s *Server) {
	c.t.Helper()
	for until := time.Now().Add(patience); ; runtime.Gosched() {
		s.mu.Lock()
		for served := range s.conns {
			if served.remote == c.LocalAddr().String() && served.rested.Load() > 0 {
				s.mu.Unlock()
				return
			}
		}
		s.mu.Unlock()
		if time.Now().After(until) {
			c.t.Fatal("it does not rest")
		}
	}
}

func fine(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") }

// TestTheLongestIdleMakesRoom: where as many connections are there as may be, a new
// one takes the place of the one that has waited longest for another request.
func TestTheLongestIdleMakesRoom(t *testing.T) {
	t.Parallel()
	s, address := serve(t, http.HandlerFunc(fine), func(c *Config) { c.MaxConns = 3 })
	one, two, three := dial(t, address), dial(t, address), dial(t, address)
	for _, c := range []*client{one, two, three, one} {
		c.asks()
		c.rests(s)
	}
	dial(t, address).asks()
	two.closed()
	dial(t, address).asks()
	three.closed()
	one.asks()
}

// TestWhoIsServedKeepsTheirPlace: nobody is closed amid a request, and who waits gets
// in when one has been answered.
func TestWhoIsServedKeepsTheirPlace(t *testing.T) {
	t.Parallel()
	inside, leave := make(chan struct{}, 3), make(chan struct{})
	_, address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inside <- struct{}{}
		<-leave
		fine(w, r)
	}), func(c *Config) { c.MaxConns = 2 })
	var in []*client
	for range 2 {
		c := dial(t, address)
		c.send(plain)
		await(t, inside)
		in = append(in, c)
	}
	late := dial(t, address)
	late.send(plain)
	close(leave)
	await(t, inside)
	late.answer("GET")
	closed := 0
	for _, c := range in { // both were answered, and one of them then made room
		c.answer("GET")
		if _, err := c.Write([]byte(plain)); err != nil {
			closed++
		} else if resp, err := http.ReadResponse(c.r, nil); err != nil {
			closed++
		} else {
			_ = resp.Body.Close()
		}
	}
	if closed == 0 {
		t.Error("three connections were served at once")
	}
}

// TestOthersCount: connections of TLS and HTTP/2 take places too, and give them away.
func TestOthersCount(t *testing.T) {
	t.Parallel()
	made := httptest.NewUnstartedServer(nil) // for its certificate
	made.StartTLS()
	t.Cleanup(made.Close)
	trust := made.Client().Transport.(*http.Transport).TLSClientConfig
	for name, c := range map[string]struct {
		listener func(net.Listener) net.Listener
		scheme   string
		protocol func(*http.Protocols)
	}{
		"TLS": {func(l net.Listener) net.Listener {
			return tls.NewListener(l, &tls.Config{Certificates: made.TLS.Certificates})
		}, "https", func(p *http.Protocols) { p.SetHTTP1(true) }},
		"HTTP/2 in TLS": {func(l net.Listener) net.Listener {
			return tls.NewListener(l, &tls.Config{Certificates: made.TLS.Certificates, NextProtos: []string{"h2"}})
		}, "https", func(p *http.Protocols) { p.SetHTTP2(true) }},
		"HTTP/2": {func(l net.Listener) net.Listener { return l }, "http", func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := listen(t)
			_, address := serveOn(t, c.listener(l), http.HandlerFunc(fine), func(config *Config) {
				config.MaxConns = 2
				config.Standard.Protocols.SetHTTP2(true)
			})
			type asker struct {
				client *http.Client
				ended  chan struct{} // one of its connections is closed
				dialed int
			}
			open := func() *asker {
				a := &asker{ended: make(chan struct{}, 1)}
				transport := &http.Transport{TLSClientConfig: trust.Clone(), Protocols: new(http.Protocols)}
				c.protocol(transport.Protocols)
				transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					a.dialed++
					nc, err := new(net.Dialer).DialContext(ctx, network, addr)
					return &watched{Conn: nc, ended: a.ended}, err
				}
				a.client = &http.Client{Transport: transport}
				t.Cleanup(transport.CloseIdleConnections)
				return a
			}
			ask := func(a *asker) {
				t.Helper()
				req, err := http.NewRequestWithContext(within(t), http.MethodGet, c.scheme+"://"+address, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := a.client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			one, two, three := open(), open(), open()
			ask(one)
			ask(two)
			ask(three)
			await(t, one.ended) // as the longest idle one
			ask(two)
			ask(three)
			if one.dialed != 1 || two.dialed != 1 || three.dialed != 1 {
				t.Errorf("%d, %d and %d connections were made", one.dialed, two.dialed, three.dialed)
			}
		})
	}
}

// watched says when its client has closed it, as it does when the server has.
type watched struct {
	net.Conn
	ended chan struct{}
}

func (w *watched) Close() error {
	signal(w.ended)
	return w.Conn.Close()
}
