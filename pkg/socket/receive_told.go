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
