//go:build !linux || race

package socket

import (
	"net"
	"syscall"
)

// Conn is c: other systems have other calls, and the race detector must see what
// passes through sockets.
func Conn(c net.Conn) net.Conn { return c }

func plain(net.Conn) (syscall.RawConn, bool) { return nil, false }
