package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// A connection's read buffer begins small, for thousands of streams of few bytes at a time, and has its full size once
// a read has filled it. Its size is the most that one read brings.
const (
	eventRoom = 1 << 10 // of one that waits with what it has been given
	firstRoom = 4 << 10
	readRoom  = 16 << 10
)

// conn is one connection. One request at a time owns it.
type conn struct {
	raw   net.Conn // the socket: closing it ends a blocked read, write or handshake at once
	rw    net.Conn // raw, or TLS over it
	key   string
	probe *probe
	turn  *turn // nil where the connection is more, or less, than a socket

	in   []byte // in[r:w] has been read and not used
	r, w int

	used         bool // for a request before
	asked, tells bool // what inquires found

	abort   func()        // ends what is under way; called once at most
	aborted chan struct{} // closed when abort is done

	readLimit, writeLimit bool // a deadline is set
	idleFrom              time.Time
}

// connect dials, and shakes hands where the target is https.
func (c Config) connect(ctx context.Context, t Target) (*conn, *Error) {
	raw, err := c.dial(ctx, t.network, t.address)
	if err != nil {
		return nil, &Error{Op: "dial", Host: t.host, Err: err}
	}
	cn := &conn{raw: raw, rw: raw, key: t.key, probe: newProbe(raw)}
	if t.secure {
		tc, err := c.handshake(ctx, raw, t.name)
		if err != nil {
			return nil, &Error{Op: "tls", Host: t.host, Err: err}
		}
		cn.rw = tc
	}
	cn.turn = newTurn(cn.rw, c.Stacks)
	cn.aborted = make(chan struct{})
	cn.abort = func() {
		defer close(cn.aborted)
		_ = cn.raw.SetDeadline(time.Unix(1, 0))
		cn.cut()
	}
	return cn, nil
}

// dial connects within the time limit. The error is ErrDialTimeout, the context's cause, or one of the network.
func (c Config) dial(ctx context.Context, network, address string) (net.Conn, error) {
	limited, cancel := context.WithTimeoutCause(ctx, c.DialTimeout, ErrDialTimeout)
	defer cancel()
	raw, err := c.Dial(limited, network, address)
	if err != nil {
		if limited.Err() != nil {
			return nil, context.Cause(limited)
		}
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() {
			return nil, err
		}
		// The socket's deadline is the context's, which may end a moment later: of
		// whom it was, the context knows.
		if at, ok := limited.Deadline(); ok && !time.Now().Before(at) {
			<-limited.Done()
			return nil, context.Cause(limited)
		}
		return nil, fmt.Errorf("%w: %w", ErrDialTimeout, err)
	}
	return raw, nil
}

// handshake makes a TLS connection within the time limit, or closes raw.
func (c Config) handshake(ctx context.Context, raw net.Conn, name string) (*tls.Conn, error) {
	limited, cancel := context.WithTimeoutCause(ctx, c.TLSTimeout, ErrTLSTimeout)
	defer cancel()
	cfg := c.TLS
	if cfg.ServerName == "" {
		cfg = cfg.Clone()
		cfg.ServerName = name
	}
	tc := tls.Client(raw, cfg)
	if err := tc.HandshakeContext(limited); err != nil {
		_ = raw.Close()
		if limited.Err() != nil {
			err = context.Cause(limited)
		}
		return nil, err
	}
	return tc, nil
}

// fit reports whether the unused connection is open and silent, as far as can be known without waiting.
func (cn *conn) fit() bool {
	if !cn.probe.fit() {
		return false
	}
	if cn.rw == cn.raw || cn.probe == nil {
		return true
	}
	// TLS may have more of the socket than it was asked for. Its reading ends at the socket, whose time is over.
	_ = cn.rw.SetReadDeadline(time.Unix(1, 0))
	n, err := cn.rw.Read(make([]byte, 1))
	_ = cn.rw.SetReadDeadline(time.Time{})
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}

// fill reads once into the empty buffer.
func (cn *conn) fill() error {
	if cn.r == cn.w {
		if cn.in == nil {
			cn.in = smallRoom()
		} else if cn.w == len(cn.in) && len(cn.in) < readRoom {
			keepRoom(cn.in)
			cn.in = readRooms.Get().(*[readRoom]byte)[:]
		}
		cn.r, cn.w = 0, 0
	}
	n, err := cn.rw.Read(cn.in[cn.w:])
	cn.w += n
	if n > 0 {
		return nil // An error comes again with the next read.
	}
	return err
}

// allowRead bounds the next reads to d from now; zero or less lifts the bound.
func (cn *conn) allowRead(d time.Duration) {
	if d > 0 {
		_ = cn.rw.SetReadDeadline(time.Now().Add(d))
	} else if cn.readLimit {
		_ = cn.rw.SetReadDeadline(time.Time{})
	}
	cn.readLimit = d > 0
}

// allowWrite bounds the next writes to d from now; zero or less lifts the bound.
func (cn *conn) allowWrite(d time.Duration) {
	if d > 0 {
		_ = cn.rw.SetWriteDeadline(time.Now().Add(d))
	} else if cn.writeLimit {
		_ = cn.rw.SetWriteDeadline(time.Time{})
	}
	cn.writeLimit = d > 0
}

// close ends the connection without a farewell: a TLS close alert could block.
func (cn *conn) close() { _ = cn.raw.Close() }

// cut is close for a connection that somebody may be reading, within whose use of the socket close waits: the server hears
// of it at once.
func (cn *conn) cut() {
	if c, ok := cn.raw.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
	cn.close()
}

// shut ends an unused connection politely. TLS bounds its alert by time itself; the buffer of an unused connection has
// room for it, so it does not wait.
func (cn *conn) shut() { _ = cn.rw.Close() }
