//go:build amd64 || arm64

package sqlite

import (
	"sync"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	lib "modernc.org/sqlite/lib"
)

// vfsName is what SQLite calls the files of this package; see shim.
const vfsName = "gptmesh"

// shim is a VFS of SQLite's that stands over another one. All is left to that one,
// but for the writes of a log and those of a checkpoint, which are gathered, and the
// release of a database's write lock, which must find nothing gathered of a log. It
// lies in SQLite's memory and is never given back, as SQLite may keep it.
//
// A file is that of the VFS below, with an overlay behind it.
type shim struct {
	vfs   lib.Tsqlite3_vfs
	below uintptr
}

// overlay is what a shim knows of an open file of the VFS below. The file's table
// of methods is the overlay's, which begins with it: so each is found by the other.
type overlay struct {
	methods lib.Tsqlite3_io_methods
	below   uintptr // the table of methods of the VFS below
	held

	// Of a database:
	log     uintptr // the log of the same connection, where it is open
	writing bool    // the connection has the lock of whoever writes to the log
	moving  bool    // a checkpoint writes, and what it writes may wait

	// Of a log:
	file uintptr // its database
	page int64   // where the page of the last header belongs that was taken, or 0
}

// registering is held by whoever changes SQLite's lists of VFSes and system calls,
// which are one for the process.
var registering sync.Mutex

// registerVFS makes a shim over another VFS known to SQLite, once. An empty below
// is the system's own.
func registerVFS(name, below string) error {
	registering.Lock()
	defer registering.Unlock()
	tls := libc.NewTLS()
	defer tls.Close()
	useSlots(tls)
	known, err := libc.CString(name) // kept by SQLite
	if err != nil {
		return err
	}
	if lib.Xsqlite3_vfs_find(tls, known) != 0 {
		libc.Xfree(tls, known)
		return nil
	}
	under := uintptr(0)
	if below != "" {
		text, err := libc.CString(below)
		if err != nil {
			return err
		}
		defer libc.Xfree(tls, text)
		under = text
	}
	found := lib.Xsqlite3_vfs_find(tls, under)
	if found == 0 {
		return &failure{code: lib.SQLITE_NOTFOUND, message: "sqlite: no VFS " + below}
	}
	place := libc.Xmalloc(tls, types.Size_t(unsafe.Sizeof(shim{})))
	if place == 0 {
		return errNoMemory
	}
	s := at[shim](place)
	*s = shim{vfs: *at[lib.Tsqlite3_vfs](found), below: found}
	s.vfs.FpNext, s.vfs.FzName = 0, known
	s.vfs.FszOsFile = int32(behind(s.vfs.FszOsFile)) + int32(unsafe.Sizeof(overlay{}))
	s.vfs.FxOpen = pointer(shimOpen)
	if below == "" {
		untell(tls, found)
	}
	if rc := lib.Xsqlite3_vfs_register(tls, place, 0); rc != lib.SQLITE_OK {
		return &failure{code: int(rc), message: "sqlite: VFS not registered"}
	}
	return nil
}

// behind is where the overlay of a file of this size begins.
func behind(size int32) uintptr { return (uintptr(size) + 7) &^ 7 }

func shimOpen(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32 {
	below := at[shim](vfs).below
	open := call[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](at[lib.Tsqlite3_vfs](below).FxOpen)
	rc := open(tls, below, name, file, flags, outFlags)
	methods := &at[lib.Tsqlite3_file](file).FpMethods
	if rc != lib.SQLITE_OK || *methods == 0 {
		return rc
	}
	isLog := flags&lib.SQLITE_OPEN_WAL != 0
	if !isLog && flags&lib.SQLITE_OPEN_MAIN_DB == 0 {
		return rc
	}
	place := file + behind(at[lib.Tsqlite3_vfs](below).FszOsFile)
	o := at[overlay](place)
	*o = overlay{methods: *at[lib.Tsqlite3_io_methods](*methods), below: *methods}
	if !isLog {
		m := &o.methods
		if m.FxShmLock != 0 {
			m.FxShmLock = pointer(shimShmLock)
			m.FxClose, m.FxRead, m.FxWrite = pointer(tablesClose), pointer(tablesRead), pointer(tablesWrite)
			m.FxTruncate, m.FxSync, m.FxFileSize = pointer(tablesTruncate), pointer(tablesSync), pointer(tablesFileSize)
			m.FxFileControl = pointer(tablesControl)
		}
		*methods = place
		return rc
	}
	// Without its database, nobody would say when a transaction is over: then nothing is gathered.
	o.file = lib.Xsqlite3_database_file_object(tls, name)
	database := overlayOf(o.file)
	if database == nil {
		return rc
	}
	database.log = file
	m := &o.methods
	m.FxClose, m.FxRead, m.FxWrite = pointer(logClose), pointer(logRead), pointer(logWrite)
	m.FxTruncate, m.FxSync, m.FxFileSize = pointer(logTruncate), pointer(logSync), pointer(logFileSize)
	*methods = place
	return rc
}

// overlayOf is the overlay of an open database, nil where it has none.
func overlayOf(file uintptr) *overlay {
	if file == 0 {
		return nil
	}
	methods := at[lib.Tsqlite3_file](file).FpMethods
	if methods == 0 || at[lib.Tsqlite3_io_methods](methods).FxShmLock != pointer(shimShmLock) {
		return nil
	}
	return at[overlay](methods)
}

// walWriteLock is the lock of whoever writes to the log (WAL_WRITE_LOCK).
const walWriteLock = 0

// shimShmLock knows who writes to the log. Where a connection ceases to, it forgets
// what was held of a transaction that was not committed: another one writes there
// next.
func shimShmLock(tls *libc.TLS, file uintptr, offset, n, flags int32) int32 {
	o := at[overlay](at[lib.Tsqlite3_file](file).FpMethods)
	ofWriter := offset <= walWriteLock && offset+n > walWriteLock
	if ofWriter && flags&lib.SQLITE_SHM_UNLOCK != 0 {
		o.writing = false
		if o.log != 0 {
			log := logOf(o.log)
			log.page = 0
			log.reset()
		}
	}
	lock := call[func(*libc.TLS, uintptr, int32, int32, int32) int32](o.io().FxShmLock)
	rc := lock(tls, file, offset, n, flags)
	if ofWriter && flags&lib.SQLITE_SHM_LOCK != 0 && flags&lib.SQLITE_SHM_EXCLUSIVE != 0 && rc == lib.SQLITE_OK {
		o.writing = true
	}
	return rc
}
