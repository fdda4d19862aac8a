package http1

import (
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// watch sees clients leave while their answers are made. It is an epoll of its
// own, in which a connection waits for nothing but its other side's end; one goroutine
// waits for all of them. A read that waits beside each answer would see it too,
// for a goroutine and a few system calls per request.
type watch struct {
	file *os.File
	raw  syscall.RawConn
	fd   int
	done chan struct{}
	once sync.Once

	mu    sync.Mutex
	conns map[int32]*conn
	round int32 // tells connections apart that had the same descriptor
}

// newWatch returns nil where the kernel offers none.
func newWatch() *watch {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil
	}
	w := &watch{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, done: make(chan struct{}), conns: map[int32]*conn{}}
	if w.raw, err = w.file.SyscallConn(); err != nil {
		_ = w.file.Close()
		return nil
	}
	go w.run()
	return w
}

// add begins to watch c, whose descriptor is fd.
func (w *watch) add(c *conn, fd int) error {
	w.mu.Lock()
	w.round++
	c.fd, c.round = int32(fd), w.round
	w.conns[c.fd] = c
	w.mu.Unlock()
	event := unix.EpollEvent{Events: unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: c.fd, Pad: c.round}
	err := unix.EpollCtl(w.fd, unix.EPOLL_CTL_ADD, fd, &event)
	if err != nil {
		w.forget(c)
	}
	return err
}

// remove ends that. The descriptor must still be open.
func (w *watch) remove(c *conn) {
	if w.forget(c) {
		_ = unix.EpollCtl(w.fd, unix.EPOLL_CTL_DEL, int(c.fd), nil)
	}
}

func (w *watch) forget(c *conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conns[c.fd] != c {
		return false
	}
	delete(w.conns, c.fd)
	return true
}

func (w *watch) run() {
	defer close(w.done)
	events := make([]unix.EpollEvent, 128)
	_ = w.raw.Read(func(uintptr) bool {
		for {
			n, err := unix.EpollWait(w.fd, events, 0)
			if err == unix.EINTR {
				continue
			}
			if n <= 0 {
				return false
			}
			for _, e := range events[:n] {
				w.left(e.Fd, e.Pad)
			}
		}
	})
}

// left tells a connection that its client has.
func (w *watch) left(fd, round int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// Under the lock, so that c is not closed meanwhile: remove comes first.
	if c := w.conns[fd]; c != nil && c.round == round {
		c.left()
	}
}

// close ends the watch. Nil is allowed.
func (w *watch) close() {
	if w == nil {
		return
	}
	w.once.Do(func() { _ = w.file.Close() })
	<-w.done
}

// cut ends a connection both ways without closing its descriptor.
func cut(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) }
