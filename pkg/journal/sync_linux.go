package journal

import (
	"errors"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// flusher brings data to the disk through the kernel's asynchronous interface
// (io_submit(2)), so that no thread of the process is blocked meanwhile: each one
// that is costs two changes of threads, and makes the runtime look for others
// every 20 µs. Where the kernel or a sandbox does not offer it, the thread waits.
// It is used by one goroutine.
type flusher struct {
	context uint64   // of io_setup; 0 where it cannot be had
	done    *os.File // an event counter that a flush counts up
	counter uint32   // its descriptor; done.Fd would make it a blocking one
}

// control and event are struct iocb and struct io_event of linux/aio_abi.h, on
// machines whose first byte is the lowest.
type control struct {
	data     uint64
	key      uint32
	rwFlags  uint32
	opcode   uint16
	prio     int16
	fd       uint32
	buf      uint64
	bytes    uint64
	offset   int64
	_        uint64
	flags    uint32
	resultTo uint32
}

type event struct {
	data, object uint64
	result       int64
	_            int64
}

// Constants of linux/aio_abi.h.
const (
	flushData = 3 // IOCB_CMD_FDSYNC
	countUp   = 1 // IOCB_FLAG_RESFD
)

func newFlusher() *flusher {
	f := &flusher{}
	counter, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return f
	}
	done := os.NewFile(uintptr(counter), "journal flushes")
	if _, _, errno := unix.Syscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&f.context)), 0); errno != 0 {
		f.context = 0
		_ = done.Close()
		return f
	}
	f.done, f.counter = done, uint32(counter)
	return f
}

// close gives back what the kernel keeps. No flush may be under way.
func (f *flusher) close() {
	if f.context != 0 {
		_, _, _ = unix.Syscall(unix.SYS_IO_DESTROY, uintptr(f.context), 0, 0)
		_ = f.done.Close()
		f.context = 0
	}
}

// flush brings a file's data to the disk.
func (f *flusher) flush(to file) error {
	of, ok := to.(*os.File)
	if !ok {
		return to.(interface{ Sync() error }).Sync()
	}
	fd := int(of.Fd())
	if f.context != 0 {
		err := f.submit(fd)
		if err == nil {
			return f.wait()
		}
		// EAGAIN is for now; all else, such as EINVAL of a file system that does
		// not know it, for good.
		if !errors.Is(err, unix.EAGAIN) {
			f.close()
		}
	}
	for {
		err := unix.Fdatasync(fd)
		if err != unix.EINTR {
			return err
		}
	}
}

func (f *flusher) submit(fd int) error {
	c := &control{opcode: flushData, fd: uint32(fd), flags: countUp, resultTo: f.counter}
	list := [1]*control{c}
	for {
		_, _, errno := unix.Syscall(unix.SYS_IO_SUBMIT, uintptr(f.context), 1, uintptr(unsafe.Pointer(&list)))
		runtime.KeepAlive(c)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// wait returns what the flush that was submitted came to.
func (f *flusher) wait() error {
	var count [8]byte
	if _, err := f.done.Read(count[:]); err != nil {
		return err
	}
	var of event
	for {
		n, _, errno := unix.Syscall6(unix.SYS_IO_GETEVENTS, uintptr(f.context), 1, 1, uintptr(unsafe.Pointer(&of)), 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return errno
		case n == 1 && of.result < 0:
			return unix.Errno(-of.result)
		case n == 1:
			return nil
		}
	}
}
