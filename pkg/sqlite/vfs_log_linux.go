//go:build amd64 || arm64

package sqlite

import (
	"encoding/binary"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

const (
	// frameHeader is the size of what stands before each page in a log. No other
	// write to a log is of that size.
	frameHeader = 24
	// mostHeld bounds what is held. A VFS for Unix writes less than 128 KB
	// at once.
	mostHeld = 64 << 10
)

// held is what has been written to a log and not yet to its file: frames of one
// transaction that follow each other, which SQLite writes by two writes each.
//
// It never holds any part of a frame that ends a transaction, and whatever stands
// before one goes to the file before it, as it does before anything else that is
// asked of the file. So, when SQLite has written the last frame of a transaction
// without an error, the file has all of it; until then no other connection looks at
// any of it.
//
// What could not be written is reported by the call that made it be written and,
// until the write lock is released, by all that write, flush, or read what was
// lost: the transaction cannot be committed.
type held struct {
	bytes  uintptr // room for mostHeld, 0 before the first
	n      int
	start  int64 // where bytes belong
	page   int64 // where the page of the last header belongs that was taken, or 0
	failed int32 // the result code of what was lost
	lost   [2]int64
}

// logOf is the overlay of a log.
func logOf(file uintptr) *overlay { return at[overlay](at[lib.Tsqlite3_file](file).FpMethods) }

func (o *overlay) io() *lib.Tsqlite3_io_methods { return at[lib.Tsqlite3_io_methods](o.below) }

// reset forgets what a transaction has left.
func (h *held) reset() { h.n, h.page, h.failed = 0, 0, lib.SQLITE_OK }

// flush writes what was gathered.
func (o *overlay) flush(tls *libc.TLS, file uintptr) int32 {
	o.page = 0
	if o.failed != lib.SQLITE_OK || o.n == 0 {
		return o.failed
	}
	n := o.n
	o.n = 0
	write := call[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](o.io().FxWrite)
	if rc := write(tls, file, o.bytes, int32(n), o.start); rc != lib.SQLITE_OK {
		o.failed, o.lost = rc, [2]int64{o.start, o.start + int64(n)}
	}
	return o.failed
}

// takes says whether a write may wait: it is the header of a frame that does not
// end a transaction, or the page that follows one.
func (h *held) takes(bytes uintptr, n int32, offset int64) bool {
	if n == frameHeader {
		ends := binary.BigEndian.Uint32(memory(bytes+4, 4)) != 0 // the size of the database then
		return !ends
	}
	return h.page != 0 && offset == h.page && n > 0 && n <= mostHeld-frameHeader
}

func logWrite(tls *libc.TLS, file, bytes uintptr, n int32, offset int64) int32 {
	o := logOf(file)
	takes := o.takes(bytes, n, offset)
	if takes && o.bytes == 0 {
		o.bytes = libc.Xmalloc(tls, mostHeld)
		takes = o.bytes != 0
	}
	if !takes || o.n > 0 && (offset != o.start+int64(o.n) || o.n+int(n) > mostHeld) {
		if rc := o.flush(tls, file); rc != lib.SQLITE_OK {
			return rc
		}
	}
	if o.failed != lib.SQLITE_OK {
		return o.failed
	}
	if !takes {
		write := call[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](o.io().FxWrite)
		return write(tls, file, bytes, n, offset)
	}
	if o.n == 0 {
		o.start = offset
	}
	copy(memory(o.bytes+uintptr(o.n), int(n)), memory(bytes, int(n)))
	o.n += int(n)
	o.page = 0
	if n == frameHeader {
		o.page = offset + frameHeader
	}
	return lib.SQLITE_OK
}

func logRead(tls *libc.TLS, file, bytes uintptr, n int32, offset int64) int32 {
	o := logOf(file)
	fresh := o.failed == lib.SQLITE_OK
	if rc := o.flush(tls, file); rc != lib.SQLITE_OK && (fresh || offset < o.lost[1] && offset+int64(n) > o.lost[0]) {
		return rc
	}
	read := call[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](o.io().FxRead)
	return read(tls, file, bytes, n, offset)
}

func logTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	o := logOf(file)
	if rc := o.flush(tls, file); rc != lib.SQLITE_OK {
		return rc
	}
	return call[func(*libc.TLS, uintptr, int64) int32](o.io().FxTruncate)(tls, file, size)
}

func logSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	o := logOf(file)
	if rc := o.flush(tls, file); rc != lib.SQLITE_OK {
		return rc
	}
	return call[func(*libc.TLS, uintptr, int32) int32](o.io().FxSync)(tls, file, flags)
}

func logFileSize(tls *libc.TLS, file, size uintptr) int32 {
	o := logOf(file)
	if rc := o.flush(tls, file); rc != lib.SQLITE_OK {
		return rc
	}
	return call[func(*libc.TLS, uintptr, uintptr) int32](o.io().FxFileSize)(tls, file, size)
}

// logClose drops what was gathered: it belongs to no transaction that was
// committed.
func logClose(tls *libc.TLS, file uintptr) int32 {
	o := logOf(file)
	if database := overlayOf(o.file); database != nil && database.log == file {
		database.log = 0
	}
	if o.bytes != 0 {
		libc.Xfree(tls, o.bytes)
		o.bytes = 0
	}
	o.reset()
	return call[func(*libc.TLS, uintptr) int32](o.io().FxClose)(tls, file)
}
