package socket

import (
	"context"
	"net"
	"syscall"
)

// Listener makes the connections that a listener accepts such ones. Where the
// system or the kind of connection does not allow it, they stay as they are.
func Listener(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return Conn(c), nil
}

// Dial makes the connections of a dialing function such ones.
func Dial(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return Conn(c), nil
	}
}

// Plain returns the socket beneath c where all of c's reads and writes are those of
// the socket itself: a connection of Conn or of package net for a stream of
// bytes. Nobody else may use c while the socket is used.
func Plain(c net.Conn) (syscall.RawConn, bool) {
	if raw, ok := plain(c); ok {
		return raw, true
	}
	var raw syscall.RawConn
	var err error
	switch c := c.(type) {
	case *net.TCPConn:
		raw, err = c.SyscallConn()
	case *net.UnixConn:
		if c.LocalAddr().Network() != "unix" {
			return nil, false
		}
		raw, err = c.SyscallConn()
	default:
		return nil, false
	}
	return raw, err == nil
}
