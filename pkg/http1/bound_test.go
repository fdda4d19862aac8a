package http1

import (
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// TestMaxConns: no more connections are served at once than may be, and those that
// wait are served when others end.
func TestMaxConns(t *testing.T) {
	t.Parallel()
	const most, clients = 2, 12
	var running, worst atomic.Int64
	_, address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := running.Add(1)
		for seen := worst.Load(); n > seen && !worst.CompareAndSwap(seen, n); seen = worst.Load() {
		}
		for range 100 {
			runtime.Gosched() // let others in
		}
		running.Add(-1)
		w.Header().Set("Connection", "close")
	}), func(c *Config) { c.MaxConns = most })
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			c := dial(t, address)
			c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if resp, _ := c.answer("GET"); resp.StatusCode != 200 {
				t.Errorf("status %d", resp.StatusCode)
			}
			c.closed()
		})
	}
	all.Wait()
	if n := worst.Load(); n > most {
		t.Errorf("%d connections were served at once", n)
	}
}

// TestMaxConnsAndTheEnd: a server that waits for a connection's end can be closed.
func TestMaxConnsAndTheEnd(t *testing.T) {
	t.Parallel()
	inside, leave := make(chan struct{}), make(chan struct{})
	s, address := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(inside)
		<-leave
	}), func(c *Config) { c.MaxConns = 1 })
	dial(t, address).send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	await(t, inside)
	over := make(chan error, 1)
	go func() { over <- s.Shutdown(within(t)) }()
	close(leave)
	if err := await(t, over); err != nil {
		t.Error(err)
	}
}
