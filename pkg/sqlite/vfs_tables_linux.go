//go:build amd64 || arm64

package sqlite

import (
	"sync/atomic"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// What a database holds are pages that a checkpoint moves into it, in the order in
// which they lie there.
//
// A checkpoint that has moved all frames of its log truncates the database and
// flushes it, and takes no error of either for done: what could not be written is
// reported there. One that leaves frames behind does neither, so nothing is held in
// it; see whole. Nobody reads any of the pages from the database before the
// checkpoint says that it is done: who began before reads them from the log.

// tablesOf is the overlay of a database.
func tablesOf(file uintptr) *overlay { return logOf(file) }

// Where the index of a log tells what a checkpoint does, in bytes: in its header how
// many frames the log has, and behind both copies of that what is known of
// checkpoints. The format is SQLite's for good: https://sqlite.org/walformat.html.
const (
	indexPage  = 32 << 10
	framesAt   = 16
	attemptsAt = 2*48 + 32
)

// whole says whether the checkpoint that begins moves all frames: then it will also
// when it ends, since nobody adds any while this connection has the write lock.
func (o *overlay) whole(tls *libc.TLS, file uintptr) bool {
	if !o.writing || o.methods.FxShmMap == 0 {
		return false
	}
	place := libc.Xmalloc(tls, 8)
	if place == 0 {
		return false
	}
	defer libc.Xfree(tls, place)
	*at[uintptr](place) = 0
	shmMap := call[func(*libc.TLS, uintptr, int32, int32, int32, uintptr) int32](o.io().FxShmMap)
	if rc := shmMap(tls, file, 0, indexPage, 0, place); rc != lib.SQLITE_OK {
		return false
	}
	index := *at[uintptr](place)
	return index != 0 && atomic.LoadUint32(at[uint32](index+framesAt)) == atomic.LoadUint32(at[uint32](index+attemptsAt))
}

func tablesControl(tls *libc.TLS, file uintptr, op int32, arg uintptr) int32 {
	o := tablesOf(file)
	switch op {
	case lib.SQLITE_FCNTL_CKPT_START:
		o.reset()
		o.moving = o.whole(tls, file) && o.ready(tls)
	case lib.SQLITE_FCNTL_CKPT_DONE:
		if o.moving {
			o.flush(tls, file) // said by what comes next
			o.moving = false
		}
		o.free(tls)
	}
	control := call[func(*libc.TLS, uintptr, int32, uintptr) int32](o.io().FxFileControl)
	return control(tls, file, op, arg)
}

func tablesWrite(tls *libc.TLS, file, bytes uintptr, n int32, offset int64) int32 {
	o := tablesOf(file)
	if o.moving {
		return o.hold(tls, file, bytes, int(n), offset)
	}
	return o.write(tls, file, bytes, n, offset)
}

func tablesRead(tls *libc.TLS, file, bytes uintptr, n int32, offset int64) int32 {
	o := tablesOf(file)
	if o.moving {
		if rc := o.flush(tls, file); rc != lib.SQLITE_OK {
			return rc
		}
	}
	return o.read(tls, file, bytes, n, offset)
}

// said writes what is held, and returns once what was lost: the checkpoint ends by it.
func (o *overlay) said(tls *libc.TLS, file uintptr) int32 {
	rc := o.flush(tls, file)
	o.reset()
	return rc
}

func tablesTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	o := tablesOf(file)
	if rc := o.said(tls, file); rc != lib.SQLITE_OK {
		return rc
	}
	return o.truncate(tls, file, size)
}

func tablesSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	o := tablesOf(file)
	if rc := o.said(tls, file); rc != lib.SQLITE_OK {
		return rc
	}
	return o.sync(tls, file, flags)
}

func tablesFileSize(tls *libc.TLS, file, size uintptr) int32 {
	o := tablesOf(file)
	if o.moving {
		if rc := o.flush(tls, file); rc != lib.SQLITE_OK {
			return rc
		}
	}
	return o.fileSize(tls, file, size)
}

// tablesClose drops what is held: the checkpoint that wrote it was not done.
func tablesClose(tls *libc.TLS, file uintptr) int32 {
	o := tablesOf(file)
	o.reset()
	o.free(tls)
	return o.close(tls, file)
}
