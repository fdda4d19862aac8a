//go:build unix && (!linux || race)

package socket

import "syscall"

// Receive reads from a non-blocking socket within a function that a
// syscall.RawConn's Read calls. again says that nothing is there yet; n is 0
// without it at the end.
func Receive(fd uintptr, p []byte) (n int, again bool, err error) {
	for {
		n, err = syscall.Read(int(fd), p)
		switch err {
		case nil:
			return n, false, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, true, nil
		default:
			return 0, false, err
		}
	}
}

// Silent says that a non-blocking socket is open and that nothing waits in it,
// within a function that a syscall.RawConn's Read calls.
func Silent(fd uintptr) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err == syscall.EAGAIN || err == syscall.EWOULDBLOCK || err == syscall.EINTR
}

// Send writes to a non-blocking socket within a function that a
// syscall.RawConn's Read or Write calls. n is how much the socket took; again says
// that it has no room for the rest.
func Send(fd uintptr, p []byte) (n int, again bool, err error) {
	for n < len(p) {
		m, err := syscall.Write(int(fd), p[n:])
		switch err {
		case nil:
			n += m
		case syscall.EINTR:
		case syscall.EAGAIN:
			return n, true, nil
		default:
			return n, false, err
		}
	}
	return n, false, nil
}
