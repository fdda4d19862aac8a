//go:build amd64 || arm64

package sqlite

import (
	"encoding/binary"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// frameHeader is the size of what stands before each page in a log. No other
// write to a log is of that size.
const frameHeader = 24

// What a log holds are frames of one transaction that follow each other, which
// SQLite writes by two writes each.
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

// logOf is the overlay of a log.
func logOf(file uintptr) *overlay { return at[overlay](at[lib.Tsqlite3_file](file).FpMethods) }

// takes says whether a write may wait: it is the header of a frame that does not
// end a transaction, or the page that follows one.
func (o *overlay) takes(bytes uintptr, n int32, offset int64) bool {
	if n == frameHeader {
		ends := binary.BigEndian.Uint32(memory(bytes+4, 4)) != 0 // the size of the database then
		return !ends
	}
	return o.page != 0 && offset == o.page && n > 0
}

func logWrite(tls *libc.TLS, file, bytes uintptr, n int32, offset int64) int32 {
	o := logOf(file)
	takes := o.takes(bytes, n, offset) && o.ready(tls)
	o.page = 0
	if !takes {
		if rc := o.flush(tls, file); rc != lib.SQLITE_OK {
			return rc
		}
		return o.write(tls, file, bytes, n, offset)
	}
	rc := o.hold(tls, file, bytes, int(n), offset)
	if rc == lib.SQLITE_OK && n == frameHeader {
		o.page = offset + frameHeader
	}
	return rc
}

func logRead(tls *libc.TLS, file, bytes uintptr, n int32, offset int64) int32 {
	o := logOf(file)
	o.page = 0
	fresh := o.failed == lib.SQLITE_OK
	if rc := o.flush(tls, file); rc != lib.SQLITE_OK && (fresh || o.overlaps(n, offset)) {
		return rc
	}
	return o.read(tls, file, bytes, n, offset)
}

func logTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	o := logOf(file)
	o.page = 0
	if rc := o.flush(tls, file); rc != lib.SQLITE_OK {
		return rc
	}
	return o.truncate(tls, file, size)
}

func logSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	o := logOf(file)
	o.page = 0
	if rc := o.flush(tls, file); rc != lib.SQLITE_OK {
		return rc
	}
	return o.sync(tls, file, flags)
}

func logFileSize(tls *libc.TLS, file, size uintptr) int32 {
	o := logOf(file)
	o.page = 0
	if rc := o.flush(tls, file); rc != lib.SQLITE_OK {
		return rc
	}
	return o.fileSize(tls, file, size)
}

// logClose drops what is held: it belongs to no transaction that was committed.
func logClose(tls *libc.TLS, file uintptr) int32 {
	o := logOf(file)
	if database := overlayOf(o.file); database != nil && database.log == file {
		database.log = 0
	}
	o.reset()
	o.free(tls)
	return o.close(tls, file)
}
