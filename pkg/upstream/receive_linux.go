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

// receive reads once without waiting. more says that the socket has more to tell, be it the connection's end, or that this
// is not known.
func receive(fd uintptr, p []byte) (n int, more bool, err error) {
	iov := unix.Iovec{Base: &p[0]}
	iov.SetLen(len(p))
	var control [32]byte
	for {
		msg := unix.Msghdr{Iov: &iov, Iovlen: 1, Control: &control[0], Controllen: uint64(len(control))}
		got, _, errno := syscall.RawSyscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&msg)), 0)
		switch errno {
		case 0:
			return int(got), left(control[:min(msg.Controllen, uint64(len(control)))]), nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, false, errEmpty
		default:
			return 0, false, os.NewSyscallError("recvmsg", errno)
		}
	}
}

// left reads the control message that tells how much is left.
func left(control []byte) bool {
	const size = unix.SizeofCmsghdr + 4
	if len(control) < size {
		return true
	}
	head := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	if head.Level != unix.IPPROTO_TCP || head.Type != unix.TCP_INQ {
		return true
	}
	return *(*int32)(unsafe.Pointer(&control[unix.SizeofCmsghdr])) != 0
}
