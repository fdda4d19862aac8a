package http1

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gptmesh/gptmesh/gen/scope"
	"github.com/gptmesh/gptmesh/pkg/slab"
	"github.com/gptmesh/gptmesh/pkg/socket"
)

// roomSize is the longest head, and what is asked for in one read.
const roomSize = 8 << 10

var rooms = sync.Pool{New: func() any { return new([roomSize]byte) }}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// part is what a connection waits for.
type part int

const (
	aRequest part = iota // to begin
	theHead              // to end
	theBody              // to end
	nothing              // since what was waited for has come
)

// conn is a connection. All of it is for its own goroutine but for what wake,
// left and abort use.
//
// The goroutine spends its life in one call of raw.Read, which calls ready
// whenever there may be something to read; handlers run within ready. So it can
// wait for more without asking for it first: a read that did not fill its room
// has emptied the socket, and whatever comes after it wakes the waiter. Left
// and entered again, raw.Read would forget what came between. The price is that nobody may
// call nc.Close before raw.Read has returned: it would wait for it.
type conn struct {
	server *Server
	nc     net.Conn
	raw    syscall.RawConn
	remote string
	life   scope.Scope // ends when the client leaves

	fd, round int32 // of the watch
	gone      atomic.Bool
	rested    atomic.Int64 // see busy

	room     *[roomSize]byte // nil while nothing is in it
	from, to int             // what stands there unserved
	head     head            // of a request whose body is on its way
	body     []byte          // its body, of full length; nil for none
	filled   int             // how much of it has come
	lends    bool            // the body lies in the room, where it came
	slab     *slab.Slab      // what it lies in where it is longer; nil for memory of its own
	due      time.Time       // when waiting ends; zero where it never was set
	writeBy  time.Time       // the deadline of writes that stands; zero for none
	awaited  part            // what is waited for until then
	last     bool            // the client has left: what it sent before is read still
	odd      bool            // it goes to the standard server
	handed   bool            // it has gone there; guarded by the server's mu

	received, sent http.Header // empty between requests
}

func newConn(s *Server, nc net.Conn, raw syscall.RawConn) *conn {
	c := &conn{server: s, nc: nc, raw: raw, remote: nc.RemoteAddr().String(), received: http.Header{}, sent: http.Header{}}
	c.life.Start(s.config.Base)
	c.rested.Store(-time.Now().UnixNano())
	return c
}

// wake makes a connection that waits look whether it should.
func (c *conn) wake() { _ = c.nc.SetReadDeadline(past) }

// left says that the client has left. It does not wait.
func (c *conn) left() {
	c.gone.Store(true)
	c.life.Cancel(nil)
	c.wake()
}

// abort ends what is under way.
func (c *conn) abort() {
	_ = c.raw.Control(cut)
	c.life.Cancel(nil)
}

func (c *conn) serve() {
	var err error
	if e := c.raw.Control(func(fd uintptr) { err = c.server.watch.add(c, int(fd)) }); e != nil || err != nil {
		c.odd = e == nil
	} else {
		c.read()
	}
	c.server.watch.remove(c)
	c.life.Cancel(nil)
	if c.odd {
		c.server.hand(c)
		c.handOver()
	} else {
		_ = c.nc.Close()
	}
	c.release()
	c.server.drop(c)
}

// read serves until the connection is over or odd.
func (c *conn) read() {
	for {
		err := c.raw.Read(c.ready)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if c.server.closing.Load() && !c.gone.Load() {
			if !c.partial() || !time.Now().Before(c.due) {
				return
			}
			_ = c.nc.SetReadDeadline(c.due) // that of the server's end has done its work
			continue
		}
		if !c.gone.Load() && c.rested.Load() != evicted && time.Now().Before(c.due) {
			_ = c.nc.SetReadDeadline(c.due) // it was to be closed for others, and then something came
			continue
		}
		if !c.gone.Load() || c.last {
			// A body that takes its time is waited for elsewhere.
			c.odd = c.body != nil
			return
		}
		c.last = true
		_ = c.nc.SetReadDeadline(time.Time{})
	}
}

// handOver leaves the connection to the standard server, with what was read.
func (c *conn) handOver() {
	_ = c.nc.SetDeadline(time.Time{})
	var read []byte
	if c.room != nil {
		read = append(read, c.room[c.from:c.to]...)
	}
	read = append(read, c.body[:c.filled]...)
	c.server.leave(&begun{Conn: c.nc, read: read})
}

// ready reads what has come and serves it. It returns true when the connection
// is over or odd, and false to be called when more has come.
func (c *conn) ready(fd uintptr) bool {
	if c.body == nil && c.room == nil { // a request begins, if anything has come
		c.server.gate.Pass()
	}
	for {
		// Whoever left before the read has sent nothing that it does not bring.
		gone := c.gone.Load()
		space := c.space()
		n, again, err := socket.Receive(fd, space)
		if err != nil || n == 0 && !again {
			// A body that is cut is no whole one: the standard server says so.
			c.odd = err == nil && c.body != nil
			return true
		}
		if n > 0 {
			if c.begins(); !c.take(n) {
				return true
			}
		}
		if n == len(space) {
			continue
		}
		switch {
		case c.server.closing.Load() && !c.partial(), c.leaves():
			return true
		case gone:
			// The end of what it sent is no news that would wake anybody.
			if again {
				return true
			}
		default:
			c.release()
			if c.rest() {
				return false
			}
		}
	}
}

// space is where the next bytes belong.
func (c *conn) space() []byte {
	if c.body != nil {
		return c.body[c.filled:]
	}
	if c.room == nil {
		c.room, _ = rooms.Get().(*[roomSize]byte)
	}
	return c.room[c.to:]
}

// release gives the room back where nothing stands in it.
func (c *conn) release() {
	if c.room != nil && c.from == c.to && !c.lends {
		rooms.Put(c.room)
		c.room, c.from, c.to = nil, 0, 0
	}
}

// rest prepares to wait: a deadline is set. It returns false where there is no
// reason to wait any more.
func (c *conn) rest() bool {
	now, config := time.Now(), &c.server.config
	switch {
	case c.body != nil:
		if c.awaited != theBody {
			c.wait(theBody, now.Add(config.BodyWait))
		}
	case c.from < c.to:
		if c.awaited != theHead {
			c.wait(theHead, now.Add(config.HeadTimeout))
		}
	default:
		if c.awaited != aRequest || c.due.Sub(now) < config.IdleTimeout {
			// A quarter more, so that the next requests need not move it.
			c.wait(aRequest, now.Add(config.IdleTimeout+config.IdleTimeout/4))
		}
		c.rests(now)
	}
	// Who stores these wakes afterwards.
	return !c.gone.Load() && (!c.server.closing.Load() || c.partial()) && !c.leaves()
}

// partial says that a request has begun to come and is not whole.
func (c *conn) partial() bool { return c.body != nil || c.from < c.to }

func (c *conn) wait(what part, until time.Time) {
	c.awaited, c.due = what, until
	_ = c.nc.SetReadDeadline(until)
}

// take serves what has become whole with the n bytes that came. It returns
// false when the connection is over or odd.
func (c *conn) take(n int) bool {
	if c.body != nil {
		if c.filled += n; c.filled < len(c.body) {
			return true
		}
		c.from = c.to
		return c.turn() && c.whole()
	}
	c.to += n
	return c.whole()
}

// whole serves the requests that stand whole in the room.
func (c *conn) whole() bool {
	for c.from < c.to && c.next() {
		if !c.turn() {
			return false
		}
	}
	return !c.odd
}

// next takes the next request out of the room where it is whole; the connection may be
// odd where not.
func (c *conn) next() bool {
	read := c.room[c.from:c.to]
	end := bytes.Index(read, headEnd)
	if end < 0 {
		// Lines may end without a CR, and a head may be too long for the room.
		c.odd = bytes.Contains(read, bareEnd) || bytes.Contains(read, mixedEnd) || len(read) == roomSize
		if c.from > 0 {
			c.from, c.to = 0, copy(c.room[:], read)
		}
		return false
	}
	end += len(headEnd)
	clear(c.received)
	c.head = head{fields: c.received}
	if end > c.server.config.HeadLimit || !c.head.parse(string(read[:end])) || c.head.length > c.server.config.BodyLimit {
		c.odd = true
		return false
	}
	switch came := read[end:]; {
	case c.head.length == 0:
	case c.head.length <= int64(len(came)):
		c.lends, c.filled = true, int(c.head.length)
		c.body = came[:c.filled:c.filled]
	default:
		if c.slab = slab.Lend(int(c.head.length)); c.slab != nil {
			c.body = c.slab.Bytes[:c.head.length:c.head.length]
		} else {
			c.body = make([]byte, c.head.length)
		}
		c.filled = copy(c.body, came)
		// The head stays in the room, for the standard server.
		c.to = c.from + end
	}
	if c.filled < len(c.body) {
		return false
	}
	c.from += end + c.filled
	return true
}

// turn serves one request. It returns false where no other follows on the
// connection.
func (c *conn) turn() bool {
	if c.awaited != aRequest { // the next one's head and body have time of their own
		c.awaited = nothing
	}
	c.release()
	lent := c.body
	e := c.exchange()
	keep := c.run(e)
	c.after(e, lent, keep)
	return keep
}

// exchange makes the exchange of the request that has come.
func (c *conn) exchange() *exchange {
	e := newExchange(c, &c.head, c.body)
	c.body, c.filled, c.head = nil, 0, head{}
	return e
}

// after gives back what an exchange was made of, whose body lay in lent. keep is what
// turn returns.
func (c *conn) after(e *exchange, lent []byte, keep bool) {
	e.scope.Cancel(nil)
	if c.lends {
		c.lends = false
		poison(lent)
		if keep {
			c.release()
		} else { // nobody knows who uses it after a panic
			c.room, c.from, c.to = nil, 0, 0
		}
	}
	if s := c.slab; s != nil {
		c.slab = nil
		poison(lent)
		if keep {
			s.Return()
		}
	}
	if keep {
		e.release()
	}
	clear(c.received)
	clear(c.sent)
}

func (c *conn) run(e *exchange) (keep bool) {
	defer func() {
		if p := recover(); p != nil {
			// What the client has got must not pass for a whole answer.
			c.server.panicked(c, p)
			e.answer.drop()
			keep = false
		}
	}()
	c.server.config.Handler.ServeHTTP(&e.answer, &e.request)
	return e.answer.finish()
}

var (
	headEnd  = []byte("\r\n\r\n")
	bareEnd  = []byte("\n\n")
	mixedEnd = []byte("\n\r\n")
)
