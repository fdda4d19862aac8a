package rpc

import (
	"context"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// nearName is the abstract name of the socket beside an address.
func nearName(address string) string { return "@gptmesh/grpc/" + address }

func listenNear(address string) net.Listener {
	l, err := net.Listen("unix", nearName(address))
	if err != nil {
		return nil
	}
	return l
}

// connectNear is nil where nobody listens, or somebody who is neither this
// process's user nor root: any program may take a name that is free.
func connectNear(ctx context.Context, address string) net.Conn {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", nearName(address))
	if err != nil {
		return nil
	}
	if !trusted(conn) {
		conn.Close()
		return nil
	}
	return conn
}

func trusted(conn net.Conn) bool {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	var peer *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	return err == nil && failed == nil && (peer.Uid == 0 || int(peer.Uid) == os.Geteuid())
}
