package upstream

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// lookAgain is after how long of silence a connection is read though nothing says that something came: what ends a
// connection together with the last bytes before it can remain unseen.
const lookAgain = 2 * time.Second

// pushRoom is the most that one piece brings to WriteTo.
const pushRoom = 48 << 10

// Buffers of connections: none is held by one that waits.
var (
	eventRooms = sync.Pool{New: func() any { return new([eventRoom]byte) }}
	firstRooms = sync.Pool{New: func() any { return new([firstRoom]byte) }}
	readRooms  = sync.Pool{New: func() any { return new([readRoom]byte) }}
	pushRooms  = sync.Pool{New: func() any { return new([pushRoom]byte) }}
	outRooms   = sync.Pool{New: func() any { return new([]byte) }}
)

// pouring is one WriteTo. It waits on its goroutine's own stack, and reads and writes on one
// that is lent.
type pouring struct {
	x       *exchange
	w       io.Writer
	n       int64
	begun   []byte // what came with the head, to be handed on with what is behind it; nil for nothing
	last    []byte // of the body, still to be handed on
	ended   bool   // the body is complete
	err     error  // of the connection or the body's coding
	refused error  // of w

	lent  bool // the stack is
	fd    uintptr
	in    []byte // what pull returned
	done  bool   // likewise
	piece []byte // what pass writes
}

// WriteTo implements io.WriterTo for the body: each read of the connection is handed on in one piece, which is w's until
// it returns. No buffer is held while the connection is silent. w must not close the body. After an error of w the rest
// of the body is there to be read or closed.
func (x *exchange) WriteTo(w io.Writer) (int64, error) {
	if !x.state.CompareAndSwap(bodyOpen, bodyReading) {
		if x.state.Load() == bodyEnded {
			if x.failed != nil {
				return 0, x.failed
			}
			return 0, nil
		}
		return 0, x.closed()
	}
	p := new(pouring)
	p.x, p.w = x, w
	in := x.pour(p)
	defer keepRoom(in)
	next := int32(bodyOpen)
	if p.ended || p.err != nil {
		next = bodyEnded
	}
	if !x.state.CompareAndSwap(bodyReading, next) {
		x.abandon() // Close came meanwhile and left the connection to this reader.
		return p.n, x.closed()
	}
	switch {
	case p.err != nil:
		x.fail(&Error{Op: "body", Host: x.host, Sent: true, Err: p.err})
	case p.ended:
		x.release()
	}
	if len(p.last) > 0 {
		p.write(p.last)
	}
	switch {
	case p.refused != nil:
		return p.n, p.refused
	case p.err != nil:
		return p.n, x.failed
	}
	return p.n, nil
}

func (x *exchange) closed() error {
	return &Error{Op: "body", Host: x.host, Sent: true, Err: ErrBodyClosed}
}

// smallRoom returns a buffer of firstRoom bytes.
func smallRoom() []byte { return firstRooms.Get().(*[firstRoom]byte)[:] }

// roomFor returns a buffer for so many bytes, or of pushRoom.
func roomFor(size int) []byte {
	switch {
	case size <= firstRoom:
		return smallRoom()
	case size <= readRoom:
		return readRooms.Get().(*[readRoom]byte)[:]
	}
	return pushRooms.Get().(*[pushRoom]byte)[:]
}

// keepRoom gives a buffer back.
func keepRoom(b []byte) {
	switch cap(b) {
	case eventRoom:
		eventRooms.Put((*[eventRoom]byte)(b[:eventRoom]))
	case firstRoom:
		firstRooms.Put((*[firstRoom]byte)(b[:firstRoom]))
	case readRoom:
		readRooms.Put((*[readRoom]byte)(b[:readRoom]))
	case pushRoom:
		pushRooms.Put((*[pushRoom]byte)(b[:pushRoom]))
	}
}

// pour reads until the body ends, w refuses or the connection fails. It returns the buffer that what is still to be
// handed on lies in.
func (x *exchange) pour(p *pouring) []byte {
	cn := x.cn
	in := cn.in
	have, filled := in[cn.r:cn.w], cn.w == len(in)
	cn.in, cn.r, cn.w = nil, 0, 0
	if 0 < len(have) && len(have) <= eventRoom { // whoever gets it may have to wait
		small := eventRooms.Get().(*[eventRoom]byte)[:]
		have = small[:copy(small, have)]
		keepRoom(in)
		in = small
	}
	inquires := x.idleTimeout <= 0 && cn.inquires()
	if inquires && filled && 0 < len(have) && len(have) < pushRoom {
		larger := roomFor(pushRoom)
		p.begun = larger[:copy(larger, have)]
	} else if len(have) > 0 && !p.take(have) {
		return in
	}
	keepRoom(in)
	if inquires {
		return x.push(p)
	}
	for {
		cn.allowRead(x.idleTimeout)
		err := cn.fill()
		have := cn.in[cn.r:cn.w]
		cn.r, cn.w = 0, 0
		if err == nil && p.take(have) {
			continue
		}
		if err != nil {
			p.over(err)
		}
		in := cn.in
		cn.in = nil
		return in
	}
}

// push is pour within one use of the socket: the poller is asked again only when nothing is left to be read.
func (x *exchange) push(p *pouring) (in []byte) {
	cn := x.cn
	ready := p.ready
	for {
		cn.allowRead(lookAgain)
		err := cn.probe.raw.Read(ready)
		if p.done {
			return p.in
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || x.ctx.Err() != nil || x.state.Load() != bodyReading {
			begun := p.begun
			if p.begun = nil; begun == nil || p.take(begun) {
				p.over(err)
			}
			return begun
		}
	}
}

// ready reads what the socket has on a lent stack, and says whether nothing more is to be
// read.
func (p *pouring) ready(fd uintptr) bool {
	p.fd = fd
	p.x.client.cfg.Stacks.Do((*pulling)(p))
	return p.done
}

// pulling is the reading of what there is.
type pulling pouring

func (r *pulling) Run() {
	p := (*pouring)(r)
	p.lent = true
	p.in, p.done = p.x.pull(p.fd, p)
	p.lent = false
}

// pull reads what the socket has and hands it on, in as few pieces as fit. over says that nothing more is to be read; else
// the socket is empty. It begins with a small buffer, unless something lies in one: whoever is given an event may have to wait,
// and thousands do at the same time.
func (x *exchange) pull(fd uintptr, p *pouring) (in []byte, over bool) {
	n, left, err := len(p.begun), pushRoom, error(nil)
	if in, p.begun = p.begun[:cap(p.begun)], nil; in == nil {
		in = eventRooms.Get().(*[eventRoom]byte)[:]
		n, left, err = receive(fd, in)
	}
	for ; ; n, left, err = receive(fd, in) {
		var then error // what came behind the bytes
		for err == nil && then == nil && left > 1 && n < pushRoom {
			if left > len(in)-n && len(in) < pushRoom {
				larger := roomFor(n + left)
				copy(larger, in[:n])
				keepRoom(in)
				in = larger
			}
			var more int
			switch more, left, then = receive(fd, in[n:]); {
			case then == errEmpty:
				left, then = 0, nil
			case then == nil && more == 0:
				then = io.EOF
			}
			n += more
		}
		switch {
		case err == errEmpty:
			keepRoom(in)
			return nil, false
		case err != nil:
			p.over(err)
		case n == 0:
			p.over(io.EOF)
		case x.state.Load() != bodyReading:
			p.over(net.ErrClosed)
		case p.take(in[:n]):
			if then != nil {
				p.over(then)
				break
			}
			if left == 0 && n < len(in) {
				keepRoom(in)
				return nil, false
			}
			continue
		}
		return in, true
	}
}

// take decodes what a read brought, in its place, and hands it on, unless that is to be done when the connection is free.
// It reports whether to go on.
func (p *pouring) take(b []byte) bool {
	x := p.x
	var rest int
	switch x.kind {
	case bodyChunked:
		var used int
		var n int
		n, used, p.err = x.chunked.next(b, b)
		p.ended = p.err == nil && x.chunked.state == chunkedDone
		b, rest = b[:n], len(b)-used
	case bodyLength:
		n := int(min(int64(len(b)), x.left))
		x.left -= int64(n)
		p.ended = x.left == 0
		b, rest = b[:n], len(b)-n
	}
	if p.ended || p.err != nil {
		x.keep = x.keep && rest == 0 // bytes behind the answer belong to nothing that was asked
		p.last = b
		return false
	}
	return p.write(b)
}

func (p *pouring) write(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	p.piece = b
	if p.lent {
		p.pass()
	} else {
		p.x.client.cfg.Stacks.Do((*passing)(p))
	}
	return p.refused == nil
}

// passing is pass.
type passing pouring

func (r *passing) Run() { (*pouring)(r).pass() }

func (p *pouring) pass() {
	n, err := p.w.Write(p.piece)
	p.n += int64(n)
	p.refused, p.piece = err, nil
}

// over notes how the connection ended.
func (p *pouring) over(err error) {
	x := p.x
	switch {
	case err == io.EOF && x.kind != bodyChunked && x.kind != bodyLength && x.ctx.Err() == nil:
		p.ended = true
		return
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	p.err = explain(x.ctx, err, ErrIdleTimeout)
}
