package http1

import (
	"math"
	"net"
	"net/http"
	"time"
)

// A connection's rested says since when it has waited for a request: nanoseconds
// since 1970, negative where none came on it yet. It is busy while a request is
// under way or on its way, and evicted once it is to be closed for others.
const (
	busy    = 0
	evicted = math.MinInt64
)

// other is a connection of the standard server.
type other struct {
	rested  int64 // as that of a conn, but never negative
	leaving bool
}

// makeRoom waits until there are fewer connections than may be. Where there are as
// many, those that have waited longest for another request are closed.
func (s *Server) makeRoom() {
	for s.config.MaxConns > 0 && !s.closing.Load() {
		s.full.Store(true)
		room, wait := s.evict(time.Now())
		if room {
			s.full.Store(false)
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-s.room:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// evict says whether there is room for a connection. If not it closes the one that has
// waited longest, unless one is on its way out; of thousands it closes some
// more, so that not every newcomer looks through all. It returns when to look again.
func (s *Server) evict(now time.Time) (room bool, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	running := len(s.conns) + len(s.others)
	if running < s.config.MaxConns {
		return true, 0
	}
	oldest, silent := int64(math.MaxInt64), int64(math.MaxInt64) // of those that had a request, and of those that had none
	for c := range s.conns {
		switch since := c.rested.Load(); {
		case since == evicted:
			return false, s.config.HeadTimeout
		case since > 0:
			oldest = min(oldest, since)
		case since < 0:
			silent = min(silent, -since)
		}
	}
	for _, o := range s.others {
		switch {
		case o.leaving:
			return false, s.config.HeadTimeout
		case o.rested > 0:
			oldest = min(oldest, o.rested)
		}
	}
	switch {
	case oldest != math.MaxInt64:
	case silent == math.MaxInt64: // all are busy
		return false, s.config.HeadTimeout
	default:
		// Who has just come is about to ask.
		if wait = time.Duration(silent + int64(s.config.HeadTimeout) - now.UnixNano()); wait > 0 {
			return false, min(wait, s.config.HeadTimeout)
		}
		oldest = -silent
	}
	s.close(oldest, now.UnixNano(), 1+running/64)
	return false, s.config.HeadTimeout
}

// close closes up to most connections that have waited since oldest or not much
// less. The server's mu is held.
func (s *Server) close(oldest, now int64, most int) {
	until := oldest
	if oldest > 0 && most > 1 {
		until += max(now-oldest, 0) / 16
	}
	for c := range s.conns {
		if since := c.rested.Load(); since >= oldest && since <= until && since != busy && c.rested.CompareAndSwap(since, evicted) {
			c.wake()
			if most--; most == 0 {
				return
			}
		}
	}
	for nc, o := range s.others {
		if o.rested >= oldest && o.rested <= until && o.rested != busy {
			o.leaving = true
			s.parting.Go(func() { _ = nc.Close() }) // TLS takes leave of its client, which may take seconds
			if most--; most == 0 {
				return
			}
		}
	}
}

// begins says that something has come on the connection. It is served though the
// connection was to be closed.
func (c *conn) begins() {
	if c.rested.Load() != busy && c.rested.Swap(busy) == evicted {
		signal(c.server.room) // for who waits for its end
	}
}

// rests says that the connection waits for another request.
func (c *conn) rests(now time.Time) {
	if c.rested.Load() != busy {
		return
	}
	c.rested.Store(now.UnixNano())
	if c.server.full.Load() {
		signal(c.server.room)
	}
}

// leaves says that the connection is to be closed for others, and that nothing of a
// request has come.
func (c *conn) leaves() bool { return c.rested.Load() == evicted && !c.partial() }

// leave hands a connection to the standard server, among whose it counts until that
// has closed it or let it go.
func (s *Server) leave(nc net.Conn) {
	if s.config.MaxConns > 0 {
		s.mu.Lock()
		s.others[nc] = &other{}
		s.mu.Unlock()
	}
	if !s.odd.put(nc) {
		s.forget(nc)
	}
}

// forget no longer counts a connection of the standard server.
func (s *Server) forget(nc net.Conn) {
	s.mu.Lock()
	delete(s.others, nc)
	s.mu.Unlock()
	signal(s.room)
}

// follow keeps what the standard server says of its connections, and passes it on.
func (s *Server) follow(next func(net.Conn, http.ConnState)) func(net.Conn, http.ConnState) {
	return func(nc net.Conn, state http.ConnState) {
		switch state {
		case http.StateClosed, http.StateHijacked:
			s.forget(nc)
		case http.StateIdle, http.StateActive:
			rested := int64(busy)
			if state == http.StateIdle {
				rested = time.Now().UnixNano()
			}
			s.mu.Lock()
			if o := s.others[nc]; o != nil {
				o.rested = rested
			}
			s.mu.Unlock()
			if rested != busy && s.full.Load() {
				signal(s.room)
			}
		}
		if next != nil {
			next(nc, state)
		}
	}
}
