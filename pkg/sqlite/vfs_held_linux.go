//go:build amd64 || arm64

package sqlite

import (
	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// piece bounds what is held, and pieces begin and end at its multiples in the
// file, where what is written allows: the system keeps such a piece of a file as
// one, and takes a third of the time for it. A VFS for Unix writes less than
// 128 KB at once.
const piece = 64 << 10

// held is what has been written to a file and not yet given to the VFS below:
// writes that follow each other. A flush that fails loses what was held.
type held struct {
	bytes  uintptr // room for a piece, 0 before the first
	n      int
	start  int64 // where bytes belong
	failed int32 // the result code of what was lost
	lost   [2]int64
}

// reset forgets what is held, and what was lost.
func (h *held) reset() { h.n, h.failed = 0, lib.SQLITE_OK }

// free gives back the memory of a held that holds nothing.
func (h *held) free(tls *libc.TLS) {
	if h.bytes != 0 {
		libc.Xfree(tls, h.bytes)
		h.bytes = 0
	}
}

// ready says whether there is room for what is to be held.
func (h *held) ready(tls *libc.TLS) bool {
	if h.bytes == 0 {
		h.bytes = libc.Xmalloc(tls, piece)
	}
	return h.bytes != 0
}

// hold takes a write, and writes each piece that is whole.
func (o *overlay) hold(tls *libc.TLS, file, bytes uintptr, n int, offset int64) int32 {
	if o.n > 0 && offset != o.start+int64(o.n) {
		o.flush(tls, file)
	}
	for n > 0 && o.failed == lib.SQLITE_OK {
		if o.n == 0 {
			o.start = offset
		}
		part := min(n, piece-int(offset%piece))
		copy(memory(o.bytes+uintptr(o.n), part), memory(bytes, part))
		o.n += part
		bytes, n, offset = bytes+uintptr(part), n-part, offset+int64(part)
		if offset%piece == 0 {
			o.flush(tls, file)
		}
	}
	return o.failed
}

// flush writes what is held, and returns what has been lost since the last reset.
func (o *overlay) flush(tls *libc.TLS, file uintptr) int32 {
	if o.failed != lib.SQLITE_OK || o.n == 0 {
		return o.failed
	}
	n := o.n
	o.n = 0
	if rc := o.write(tls, file, o.bytes, int32(n), o.start); rc != lib.SQLITE_OK {
		o.failed, o.lost = rc, [2]int64{o.start, o.start + int64(n)}
	}
	return o.failed
}

// overlaps says whether any of a range was lost.
func (h *held) overlaps(n int32, offset int64) bool {
	return h.failed != lib.SQLITE_OK && offset < h.lost[1] && offset+int64(n) > h.lost[0]
}

// io are the methods of the VFS below.
func (o *overlay) io() *lib.Tsqlite3_io_methods { return at[lib.Tsqlite3_io_methods](o.below) }

// What is done by the VFS below.

func (o *overlay) write(tls *libc.TLS, file, bytes uintptr, n int32, offset int64) int32 {
	return call[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](o.io().FxWrite)(tls, file, bytes, n, offset)
}

func (o *overlay) read(tls *libc.TLS, file, bytes uintptr, n int32, offset int64) int32 {
	return call[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](o.io().FxRead)(tls, file, bytes, n, offset)
}

func (o *overlay) truncate(tls *libc.TLS, file uintptr, size int64) int32 {
	return call[func(*libc.TLS, uintptr, int64) int32](o.io().FxTruncate)(tls, file, size)
}

func (o *overlay) sync(tls *libc.TLS, file uintptr, flags int32) int32 {
	return call[func(*libc.TLS, uintptr, int32) int32](o.io().FxSync)(tls, file, flags)
}

func (o *overlay) fileSize(tls *libc.TLS, file, size uintptr) int32 {
	return call[func(*libc.TLS, uintptr, uintptr) int32](o.io().FxFileSize)(tls, file, size)
}

func (o *overlay) close(tls *libc.TLS, file uintptr) int32 {
	return call[func(*libc.TLS, uintptr) int32](o.io().FxClose)(tls, file)
}
