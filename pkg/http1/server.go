package http1

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gptmesh/gptmesh/pkg/gate"
)

// Config is what a Server serves, and its bounds.
type Config struct {
	// Handler answers. Required.
	Handler http.Handler
	// Standard serves the connections that are left to net/http. Required; it needs
	// the same handler.
	Standard *http.Server
	// Base is what contexts of requests lie in; its end ends them. Nil for none.
	Base context.Context
	// HeadLimit is the longest head, up to 8 KB, that is served here; 0 means these.
	HeadLimit int
	// HeadTimeout bounds the arrival of a request's head.
	HeadTimeout time.Duration
	// BodyWait is how long a request waits for the rest of its body. Then it is left
	// to Standard.
	BodyWait time.Duration
	// IdleTimeout closes a connection without requests.
	IdleTimeout time.Duration
	// BodyLimit is the longest body that is taken before the handler runs; longer
	// ones are left to Standard.
	BodyLimit int64
	// MaxConns is the most connections that are served at once, those of Standard
	// among them. One more makes the one that has waited longest for another request
	// be closed. Where none waits it is served when one of these has ended; until then
	// the system keeps further ones waiting. 0 means no bound.
	MaxConns int
	// Logger is told of panics. Nil for none.
	Logger *slog.Logger
}

// Server serves HTTP. Its methods are safe for concurrent use, and mean what
// those of http.Server mean.
type Server struct {
	config Config
	watch  *watch     // nil where clients cannot be watched
	odd    *queue     // connections for Standard
	gate   *gate.Gate // for requests that begin; nil where there can be none
	clock  clock

	closing atomic.Bool
	full    atomic.Bool // somebody waits for room
	mu      sync.Mutex
	conns   map[*conn]struct{}
	others  map[net.Conn]*other // of Standard
	ends    chan struct{}       // one more has ended, for who waits for all
	room    chan struct{}       // one more has ended or waits, for who accepts
	served  []net.Listener
	begun   bool
	over    chan error     // what Standard's Serve returned
	parting sync.WaitGroup // connections of Standard that are being closed for others; only who accepts adds
}

// New makes a server. Serve must be called, and Shutdown or Close in the end.
func New(config Config) *Server {
	if config.Base == nil {
		config.Base = context.Background()
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.HeadLimit <= 0 || config.HeadLimit > roomSize {
		config.HeadLimit = roomSize
	}
	s := &Server{config: config, odd: newQueue(), conns: map[*conn]struct{}{}, others: map[net.Conn]*other{},
		ends: make(chan struct{}, 1), room: make(chan struct{}, 1), over: make(chan error, 1)}
	if config.MaxConns > 0 {
		config.Standard.ConnState = s.follow(config.Standard.ConnState)
	}
	return s
}

// Serve serves what l accepts, and returns http.ErrServerClosed after Shutdown or
// Close. It closes l. It is called once.
func (s *Server) Serve(l net.Listener) error {
	if !s.begin(l) {
		_ = l.Close()
		return http.ErrServerClosed
	}
	s.odd.address = l.Addr()
	go func() { s.over <- s.config.Standard.Serve(s.odd) }()
	err := s.accept(l)
	defer s.parting.Wait()
	_ = s.odd.Close()
	if other := <-s.over; err == nil {
		err = other
	}
	return err
}

func (s *Server) begin(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() || s.begun {
		return false
	}
	s.begun = true
	s.served = append(s.served, l)
	s.watch = newWatch()
	s.gate, _ = gate.New(gate.Config{}) // without one a crowd comes in at once
	return true
}

func (s *Server) accept(l net.Listener) error {
	defer l.Close()
	var pause time.Duration
	for {
		c, err := l.Accept()
		if err == nil {
			pause = 0
			s.makeRoom()
			s.take(c)
			continue
		}
		var passing interface{ Temporary() bool }
		switch {
		case s.closing.Load():
			return http.ErrServerClosed
		case errors.As(err, &passing) && passing.Temporary():
			// Too many open files, above all: wait for some to be closed.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
		default:
			return err
		}
	}
}

// take begins with a connection.
func (s *Server) take(nc net.Conn) {
	direct, ok := nc.(syscall.Conn)
	if !ok || s.watch == nil {
		s.leave(nc)
		return
	}
	raw, err := direct.SyscallConn()
	if err != nil {
		_ = nc.Close()
		return
	}
	c := newConn(s, nc, raw)
	s.mu.Lock()
	if s.closing.Load() {
		s.mu.Unlock()
		_ = nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	go c.serve()
}

// drop forgets a connection that has ended or left.
func (s *Server) drop(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	signal(s.ends)
	signal(s.room)
}

// signal lets somebody who waits count again.
func signal(who chan struct{}) {
	select {
	case who <- struct{}{}:
	default:
	}
}

// hand says that a connection is the standard server's to end.
func (s *Server) hand(c *conn) {
	s.mu.Lock()
	c.handed = true
	s.mu.Unlock()
}

// stop ends accepting, and tells connections that wait for a request.
func (s *Server) stop() {
	s.closing.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.served {
		_ = l.Close()
	}
	for c := range s.conns {
		if !c.handed {
			c.wake()
		}
	}
	s.gate.Close()
	signal(s.room)
}

// Shutdown stops accepting, closes connections that wait for a request, and
// waits until the others have answered theirs, or ctx is done. A request that has
// begun to come is among these, while it comes in time.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	standard := make(chan error, 1)
	go func() { standard <- s.config.Standard.Shutdown(ctx) }()
	err := s.wait(ctx)
	if other := <-standard; err == nil {
		err = other
	}
	if err == nil {
		s.watch.close()
	}
	return err
}

func (s *Server) wait(ctx context.Context) error {
	for {
		s.mu.Lock()
		left := len(s.conns)
		s.mu.Unlock()
		if left == 0 {
			signal(s.ends) // others may wait, too
			return nil
		}
		select {
		case <-s.ends:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close closes all connections, whatever is under way, and waits for the handlers
// that were.
func (s *Server) Close() error {
	s.stop()
	s.mu.Lock()
	for c := range s.conns {
		c.abort()
	}
	s.mu.Unlock()
	err := s.config.Standard.Close()
	_ = s.wait(context.Background())
	s.watch.close()
	return err
}

// panicked logs what a handler's panic was, unless it only meant to abort.
func (s *Server) panicked(c *conn, p any) {
	if p == http.ErrAbortHandler {
		return
	}
	stack := make([]byte, 64<<10)
	stack = stack[:runtime.Stack(stack, false)]
	s.config.Logger.LogAttrs(context.Background(), slog.LevelError, "panic in an HTTP handler",
		slog.String("remote", c.nc.RemoteAddr().String()), slog.Any("panic", p), slog.String("stack", string(stack)))
}
