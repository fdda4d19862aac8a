//go:build unix

package upstream

import (
	"io"
	"net"
	"syscall"

	"github.com/gptmesh/gptmesh/pkg/socket"
	"github.com/gptmesh/gptmesh/pkg/stacks"
)

// turn is a small request and the first bytes of its answer, within one use of the socket: what comes after the request
// wakes whoever waits, so that the socket need not be read to be known to be empty.
type turn struct {
	conn net.Conn
	raw  syscall.RawConn
	step func(fd uintptr) bool
	fd   uintptr // of step, which runs on a lent stack
	over bool    // what it returned

	look bool   // the connection was idle: see first whether it is fit
	out  []byte // the request
	sent int    // of it
	full bool   // the socket did not take all of it
	in   []byte // nil until something has come
	got  int
	err  error
}

// newTurn returns nil for a connection that is not just a socket.
func newTurn(c net.Conn, lend *stacks.Pool) *turn {
	raw, ok := socket.Plain(c)
	if !ok {
		return nil
	}
	t := &turn{conn: c, raw: raw}
	t.step = func(fd uintptr) bool {
		t.fd = fd
		lend.Do((*turning)(t))
		return t.over
	}
	return t
}

// turning is ready.
type turning turn

func (r *turning) Run() {
	t := (*turn)(r)
	t.over = t.ready(t.fd)
}

// ready is called when there may be something to do, and returns true when there is no more.
func (t *turn) ready(fd uintptr) bool {
	if t.sent < len(t.out) {
		if t.look && !socket.Silent(fd) {
			t.err = errUnfit
			return true
		}
		t.sent, t.full, t.err = socket.Send(fd, t.out)
		return t.full || t.err != nil
	}
	in := smallRoom()
	n, again, err := socket.Receive(fd, in)
	if again {
		keepRoom(in)
		return false
	}
	if t.in, t.got, t.err = in, n, err; n == 0 && err == nil {
		t.err = io.EOF
	}
	return true
}

// take takes a turn. done says that the request was written and its answer has begun, or failed to, which
// the first read says; else what was not written is still to be.
func (x *exchange) take(t *turn, out []byte) (done bool, err error) {
	cn := x.cn
	t.look, t.out, t.sent, t.full, t.in, t.got, t.err = cn.used, out, 0, false, nil, 0, nil
	err = t.raw.Read(t.step)
	x.wrote = int64(t.sent)
	in, got, own, full := t.in, t.got, t.err, t.full
	t.out, t.in = nil, nil
	cn.in, cn.r, cn.w = in, 0, got
	switch {
	case own == errUnfit:
		return false, errUnfit
	case own == io.EOF:
		x.early = io.EOF
	case own != nil && in == nil:
		return false, t.named("write", own)
	case own != nil:
		x.early = t.named("read", own)
	case full:
		return false, nil
	case err != nil && t.sent < len(out): // before anything was done
		return false, t.named("write", err)
	case err != nil:
		x.early = t.named("read", err)
	}
	return true, nil
}

// named makes err what the connection would have returned.
func (t *turn) named(op string, err error) error {
	if of, ok := err.(*net.OpError); ok {
		err = of.Err
	}
	return &net.OpError{Op: op, Net: t.conn.LocalAddr().Network(), Source: t.conn.LocalAddr(), Addr: t.conn.RemoteAddr(), Err: err}
}
