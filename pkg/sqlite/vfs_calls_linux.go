//go:build amd64 || arm64

package sqlite

import (
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	lib "modernc.org/sqlite/lib"
)

// SQLite's table of system calls is one for the process, and so is what the calls
// here remember.
var (
	toldWrites atomic.Int32 // how many of the next writes the scheduler is told of
	noNowait   atomic.Bool  // a file system cannot say whether a read would wait
)

const (
	// slowWrite is a write that has waited, and not only lost its processor.
	slowWrite = 20 * time.Millisecond
	// toldAfterSlow is for how many writes the scheduler is told after a slow one.
	toldAfterSlow = 512
)

// untell makes SQLite's reads, writes and locks system calls that the scheduler is
// not told of, where they do not wait; see pkg/socket. Flushes are told of.
func untell(tls *libc.TLS, vfs uintptr) {
	set := call[func(*libc.TLS, uintptr, uintptr, uintptr) int32](at[lib.Tsqlite3_vfs](vfs).FxSetSystemCall)
	for name, f := range map[string]uintptr{"pwrite": pointer(pwrite), "pread": pointer(pread), "fcntl": pointer(fcntl)} {
		text, err := libc.CString(name)
		if err != nil {
			return // what is not set stays as it was
		}
		set(tls, vfs, text, f)
		libc.Xfree(tls, text)
	}
}

// pwrite writes into the system's cache, which does not wait as a rule. A system whose
// disk falls behind makes writers wait: then the scheduler is told, for a while.
func pwrite(tls *libc.TLS, fd int32, bytes uintptr, n types.Size_t, offset types.Off_t) types.Ssize_t {
	if toldWrites.Load() > 0 {
		toldWrites.Add(-1)
		return libc.Xpwrite(tls, fd, bytes, n, offset)
	}
	start := time.Now()
	written, _, errno := unix.RawSyscall6(unix.SYS_PWRITE64, uintptr(fd), bytes, uintptr(n), uintptr(offset), 0, 0)
	if time.Since(start) > slowWrite {
		toldWrites.Store(toldAfterSlow)
	}
	return result[types.Ssize_t](tls, written, errno)
}

// pread reads what the system has in its cache; for all else the scheduler is told.
func pread(tls *libc.TLS, fd int32, bytes uintptr, n types.Size_t, offset types.Off_t) types.Ssize_t {
	if n > 0 && !noNowait.Load() {
		part := [2]uintptr{bytes, uintptr(n)} // struct iovec
		read, _, errno := unix.RawSyscall6(unix.SYS_PREADV2, uintptr(fd), uintptr(unsafe.Pointer(&part)), 1, uintptr(offset), 0, unix.RWF_NOWAIT)
		switch errno {
		case 0:
			return types.Ssize_t(read)
		case unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL:
			noNowait.Store(true)
		}
	}
	return libc.Xpread(tls, fd, bytes, n, offset)
}

// fcntl takes and releases locks; it waits for none.
func fcntl(tls *libc.TLS, fd, command int32, args uintptr) int32 {
	switch command {
	case unix.F_SETLK, unix.F_GETLK, unix.F_OFD_SETLK, unix.F_OFD_GETLK:
		rest := args
		done, _, errno := unix.RawSyscall(unix.SYS_FCNTL, uintptr(fd), uintptr(command), libc.VaUintptr(&rest))
		return result[int32](tls, done, errno)
	}
	return libc.Xfcntl(tls, fd, command, args)
}

// result is what a C function returns.
func result[T types.Ssize_t | int32](tls *libc.TLS, r uintptr, errno unix.Errno) T {
	if errno != 0 {
		*at[int32](libc.X__errno_location(tls)) = int32(errno)
		return -1
	}
	return T(r)
}
