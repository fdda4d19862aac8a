//go:build linux && (amd64 || arm64) && !race

package upstream

import (
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errEmpty says that a socket has nothing to be read.
const errEmpty = syscall.EAGAIN

// inquires reports whether each read of the connection tells how much is left behind it, so that an empty socket need not
// be read to be known: a TCP socket without TLS.
func (cn *conn) inquires() bool {
	if cn.asked {
		return cn.tells
	}
	cn.asked = true
	if cn.probe == nil || cn.rw != cn.raw || !overTCP(cn.raw) {
		return false
	}
	err := cn.probe.raw.Control(func(fd uintptr) {
		cn.tells = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_INQ, 1) == nil
	})
	return err == nil && cn.tells
}

func overTCP(c net.Conn) bool {
	_, tcp := c.RemoteAddr().(*net.TCPAddr)
	return tcp
}

// receive reads once without waiting. left is how many bytes the socket has more, at least 1 where it is the connection's
// end or nobody knows.
func receive(fd uintptr, p []byte) (n, left int, err error) {
	iov := unix.Iovec{Base: &p[0]}
	iov.SetLen(len(p))
	var control [32]byte
	for {
		msg := unix.Msghdr{Iov: &iov, Iovlen: 1, Control: &control[0], Controllen: uint64(len(control))}
		got, _, errno := syscall.RawSyscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&msg)), 0)
		switch errno {
		case 0:
			return int(got), behind(control[:min(msg.Controllen, uint64(len(control)))]), nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, 0, errEmpty
		default:
			return 0, 0, os.NewSyscallError("recvmsg", errno)
		}
	}
}

// behind reads the control message that tells how much is left.
func behind(control []byte) int {
	const size = unix.SizeofCmsghdr + 4
	if len(control) < size {
		return 1
	}
	head := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	if head.Level != unix.IPPROTO_TCP || head.Type != unix.TCP_INQ {
		return 1
	}
	return int(*(*int32)(unsafe.Pointer(&control[unix.SizeofCmsghdr])))
}
