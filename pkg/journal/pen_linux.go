//go:build !race && (amd64 || arm64)

package journal

import (
	"io"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pen writes into segments by system calls that the Go scheduler is not told of,
// see pkg/socket. Their blocks are there already, so that a write copies some
// kilobytes into the system's cache and waits for nothing, as a rule. A system
// whose disk falls behind makes writers wait: then the scheduler is told, for a
// while.
//
// One goroutine at a time writes.
type pen struct{ told int }

const (
	// untoldMost bounds a write of which the scheduler is not told.
	untoldMost = 256 << 10
	// slowWrite is a write that has waited, and not only lost its processor.
	slowWrite = 20 * time.Millisecond
	// toldWrites is for how many writes the scheduler is told after a slow one.
	toldWrites = 512
)

func (w *pen) writeAt(f file, p []byte, at int64) error {
	of, ok := f.(*os.File)
	if !ok || w.told > 0 || len(p) > untoldMost {
		w.told = max(w.told-1, 0)
		_, err := f.WriteAt(p, at)
		return err
	}
	start := time.Now()
	for fd := of.Fd(); len(p) > 0; {
		n, _, errno := unix.RawSyscall6(unix.SYS_PWRITE64, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), uintptr(at), 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return &os.PathError{Op: "write", Path: of.Name(), Err: errno}
		case n == 0:
			return &os.PathError{Op: "write", Path: of.Name(), Err: io.ErrShortWrite}
		default:
			p, at = p[n:], at+int64(n)
		}
	}
	runtime.KeepAlive(of)
	if time.Since(start) > slowWrite {
		w.told = toldWrites
	}
	return nil
}
