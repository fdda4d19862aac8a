//go:build linux && !race

package socket

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"unsafe"
)

// Conn is c, with reads and writes that the scheduler is not told about, where c
// is a socket for a stream of bytes; otherwise it is c itself. c must not be
// used besides.
func Conn(c net.Conn) net.Conn {
	var raw syscall.RawConn
	var err error
	switch c := c.(type) {
	case *net.TCPConn:
		raw, err = c.SyscallConn()
	case *net.UnixConn:
		if c.LocalAddr().Network() != "unix" {
			return c
		}
		raw, err = c.SyscallConn()
	default:
		return c
	}
	if err != nil {
		return c
	}
	s := &conn{Conn: c, raw: raw}
	s.in.step, s.out.step = s.in.read, s.out.write
	return s
}

type conn struct {
	net.Conn
	raw syscall.RawConn
	in  transfer
	out transfer
}

// transfer is one direction. Its function is made once, not with each call.
type transfer struct {
	turn sync.Mutex
	rest []byte
	n    int
	err  error
	step func(fd uintptr) bool
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return c.Conn.Read(p) // says whether the connection is closed
	}
	n, err := c.in.run(c.raw.Read, p)
	switch {
	case err != nil:
		return n, c.named("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return c.Conn.Write(p)
	}
	n, err := c.out.run(c.raw.Write, p)
	if err != nil {
		return n, c.named("write", err)
	}
	return n, nil
}

// SyscallConn implements syscall.Conn.
func (c *conn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

// CloseWrite says that no more is written.
func (c *conn) CloseWrite() error {
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// named makes err what the connection itself would have returned.
func (c *conn) named(op string, err error) error {
	var of *net.OpError
	if errors.As(err, &of) {
		err = of.Err
	}
	return &net.OpError{Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

func (t *transfer) run(through func(func(uintptr) bool) error, p []byte) (int, error) {
	t.turn.Lock()
	defer t.turn.Unlock()
	t.rest, t.n, t.err = p, 0, nil
	err := through(t.step)
	t.rest = nil
	if t.err != nil {
		err = t.err
	}
	return t.n, err
}

// read is done when something, the end or an error has come.
func (t *transfer) read(fd uintptr) bool {
	n, errno := call(syscall.SYS_RECVFROM, fd, t.rest)
	switch errno {
	case 0:
		t.n = n
	case syscall.EAGAIN:
		return false
	default:
		t.err = errno
	}
	return true
}

// write is done when everything has gone.
func (t *transfer) write(fd uintptr) bool {
	for len(t.rest) > 0 {
		n, errno := call(syscall.SYS_SENDTO, fd, t.rest)
		switch errno {
		case 0:
			t.n += n
			t.rest = t.rest[n:]
		case syscall.EAGAIN:
			return false
		default:
			t.err = errno
			return true
		}
	}
	return true
}

// Receive reads from a non-blocking socket within a function that a
// syscall.RawConn's Read calls. again says that nothing is there yet; n is 0
// without it at the end.
func Receive(fd uintptr, p []byte) (n int, again bool, err error) {
	n, errno := call(syscall.SYS_RECVFROM, fd, p)
	switch errno {
	case 0:
		return n, false, nil
	case syscall.EAGAIN:
		return 0, true, nil
	}
	return 0, false, errno
}

// Silent says that a non-blocking socket is open and that nothing waits in it,
// within a function that a syscall.RawConn's Read calls.
func Silent(fd uintptr) bool {
	var b [1]byte
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b)), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return errno == syscall.EAGAIN || errno == syscall.EINTR
}

// Send writes to a non-blocking socket within a function that a
// syscall.RawConn's Read or Write calls. n is how much the socket took; again says
// that it has no room for the rest.
func Send(fd uintptr, p []byte) (n int, again bool, err error) {
	for n < len(p) {
		m, errno := call(syscall.SYS_SENDTO, fd, p[n:])
		switch errno {
		case 0:
			n += m
		case syscall.EAGAIN:
			return n, true, nil
		default:
			return n, false, errno
		}
	}
	return n, false, nil
}

// plain returns what c is beneath, where Conn made it.
func plain(c net.Conn) (syscall.RawConn, bool) {
	if s, ok := c.(*conn); ok {
		return s.raw, true
	}
	return nil, false
}

// most bounds one call, so that the scheduler does not wait long for it.
const most = 256 << 10

// call receives or sends. The calls for sockets do what read and write do, and pass
// through less of the kernel.
func call(trap, fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(min(len(p), most)), 0, 0, 0)
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}
