package journal

import (
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// flusher brings data to the disk through the kernel's asynchronous interface
// (io_submit(2)), so that no thread of the process is blocked meanwhile: each one
// that is costs two changes of threads, and makes the runtime look for others
// every 20 µs. Where the kernel or a sandbox does not offer it, submit says so.
// None of its calls waits, and the scheduler is told of none, see pkg/socket.
//
// One goroutine waits; any may ring. One flush is under way at a time.
type flusher struct {
	context uint64      // of io_setup; 0 where it cannot be had
	broken  atomic.Bool // it was offered and does not work
	bell    *os.File    // an event counter: rings, and flushes that have landed
	heard   syscall.RawConn
	listen  func(fd uintptr) bool
	counter int           // its descriptor; bell.Fd would make it a blocking one
	rings   chan struct{} // where there is no counter
}

// control and event are struct iocb and struct io_event of linux/aio_abi.h, on
// machines whose first byte is the lowest.
type control struct {
	_        uint64 // data
	_        uint32 // key
	_        uint32 // rw_flags
	opcode   uint16
	_        int16 // reqprio
	fd       uint32
	_        uint64 // buf
	_        uint64 // nbytes
	_        int64  // offset
	_        uint64 // reserved
	flags    uint32
	resultTo uint32
}

type event struct {
	_      uint64 // data
	_      uint64 // obj
	result int64
	_      int64 // res2
}

// Constants of linux/aio_abi.h.
const (
	flushData = 3 // IOCB_CMD_FDSYNC
	countUp   = 1 // IOCB_FLAG_RESFD
)

func newFlusher() *flusher {
	f := &flusher{rings: make(chan struct{}, 1)}
	counter, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return f
	}
	if _, _, errno := unix.Syscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&f.context)), 0); errno != 0 {
		f.context = 0
		_ = unix.Close(counter)
		return f
	}
	f.bell, f.counter = os.NewFile(uintptr(counter), "journal flushes"), counter
	if f.heard, err = f.bell.SyscallConn(); err != nil {
		f.close()
		f.bell = nil
		return f
	}
	f.listen = func(fd uintptr) bool {
		var count [8]byte
		for {
			switch _, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&count)), uintptr(len(count))); errno {
			case unix.EINTR:
			case unix.EAGAIN:
				return false
			default:
				return true
			}
		}
	}
	return f
}

// close gives back what the kernel keeps. No flush may be under way, and nobody
// may ring any more.
func (f *flusher) close() {
	if f.bell != nil {
		_, _, _ = unix.Syscall(unix.SYS_IO_DESTROY, uintptr(f.context), 0, 0)
		_ = f.bell.Close()
	}
}

// ring makes wait return.
func (f *flusher) ring() {
	if f.bell == nil {
		select {
		case f.rings <- struct{}{}:
		default:
		}
		return
	}
	// It is full after 2^64 rings that nobody heard.
	one := uint64(1)
	_ = f.heard.Write(func(fd uintptr) bool {
		_, _, _ = unix.RawSyscall(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
		return true
	})
}

// wait returns after a ring, and when a flush has landed.
func (f *flusher) wait() {
	if f.bell == nil {
		<-f.rings
		return
	}
	_ = f.heard.Read(f.listen)
}

// asynchronous says whether submit may be hoped to work.
func (f *flusher) asynchronous() bool { return f.bell != nil && !f.broken.Load() }

// submit begins the flush of a file's data. False means that it cannot: the
// caller is to call flush.
func (f *flusher) submit(to file) bool {
	of, ok := to.(*os.File)
	if !ok || !f.asynchronous() {
		return false
	}
	c := &control{opcode: flushData, fd: uint32(of.Fd()), flags: countUp, resultTo: uint32(f.counter)}
	list := [1]*control{c}
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_IO_SUBMIT, uintptr(f.context), 1, uintptr(unsafe.Pointer(&list)))
		runtime.KeepAlive(c)
		switch errno {
		case 0:
			return true
		case unix.EINTR:
		case unix.EAGAIN: // for now
			return false
		default: // as EINVAL of a file system that does not know it
			f.broken.Store(true)
			return false
		}
	}
}

// landed says whether the flush that was submitted is over, and how.
func (f *flusher) landed() (bool, error) {
	if f.bell == nil {
		return false, nil
	}
	var of event
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_IO_GETEVENTS, uintptr(f.context), 0, 1, uintptr(unsafe.Pointer(&of)), 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return true, errno
		case n == 0:
			return false, nil
		case of.result < 0:
			return true, unix.Errno(-of.result)
		default:
			return true, nil
		}
	}
}

// flush brings a file's data to the disk and waits.
func flush(to file) error {
	of, ok := to.(*os.File)
	if !ok {
		return to.(interface{ Sync() error }).Sync()
	}
	for {
		err := unix.Fdatasync(int(of.Fd()))
		if err != unix.EINTR {
			return err
		}
	}
}
