//go:build amd64 || arm64

package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	lib "modernc.org/sqlite/lib"
)

// faults stands in a VFS between the system's and the one under test. It lies in
// SQLite's memory.
type faults struct {
	vfs         lib.Tsqlite3_vfs
	below       uintptr
	log, tables trouble
}

// trouble is what befalls the files of one kind.
type trouble struct {
	writes    int64 // so far
	failAfter int64 // writes from now; negative: never
	failSync  int64
	code      int32
	short     int32 // bytes that are written of the write that fails
}

// none ends the trouble.
func (t *trouble) none() { t.failAfter, t.failSync, t.code, t.short = -1, -1, lib.SQLITE_FULL, 0 }

type faultyFile struct {
	methods lib.Tsqlite3_io_methods
	below   uintptr
	trouble *trouble // in SQLite's memory too
}

func newFaults(t *testing.T, name string) *faults {
	t.Helper()
	tls := libc.NewTLS()
	t.Cleanup(tls.Close)
	if err := registerVFS(vfsName, ""); err != nil {
		t.Fatal(err)
	}
	text, err := libc.CString(name)
	if err != nil {
		t.Fatal(err)
	}
	below := lib.Xsqlite3_vfs_find(tls, 0)
	place := libc.Xmalloc(tls, types.Size_t(unsafe.Sizeof(faults{})))
	f := at[faults](place)
	*f = faults{vfs: *at[lib.Tsqlite3_vfs](below), below: below}
	f.log.none()
	f.tables.none()
	f.vfs.FpNext, f.vfs.FzName = 0, text
	f.vfs.FszOsFile = int32(behind(f.vfs.FszOsFile)) + int32(unsafe.Sizeof(faultyFile{}))
	f.vfs.FxOpen = pointer(faultyOpen)
	if rc := lib.Xsqlite3_vfs_register(tls, place, 0); rc != lib.SQLITE_OK {
		t.Fatal(rc)
	}
	return f
}

func faultyOpen(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32 {
	f := at[faults](vfs)
	below := at[lib.Tsqlite3_vfs](f.below)
	rc := call[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](below.FxOpen)(tls, f.below, name, file, flags, outFlags)
	if rc != lib.SQLITE_OK || flags&(lib.SQLITE_OPEN_WAL|lib.SQLITE_OPEN_MAIN_DB) == 0 {
		return rc
	}
	place := file + behind(below.FszOsFile)
	o, methods := at[faultyFile](place), &at[lib.Tsqlite3_file](file).FpMethods
	*o = faultyFile{methods: *at[lib.Tsqlite3_io_methods](*methods), below: *methods, trouble: &f.tables}
	if flags&lib.SQLITE_OPEN_WAL != 0 {
		o.trouble = &f.log
	}
	o.methods.FxWrite, o.methods.FxSync = pointer(faultyWrite), pointer(faultySync)
	*methods = place
	return rc
}

// faultyOf finds the faulty file below a file of a shim.
func faultyOf(file uintptr) *faultyFile {
	return at[faultyFile](at[overlay](at[lib.Tsqlite3_file](file).FpMethods).below)
}

func faultyWrite(tls *libc.TLS, file, bytes uintptr, n int32, offset int64) int32 {
	o := faultyOf(file)
	f := o.trouble
	write := call[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](at[lib.Tsqlite3_io_methods](o.below).FxWrite)
	f.writes++
	switch {
	case f.failAfter > 0:
		f.failAfter--
	case f.failAfter == 0:
		f.failAfter = -1
		if n = min(n-1, f.short); n > 0 {
			if rc := write(tls, file, bytes, n, offset); rc != lib.SQLITE_OK {
				return rc
			}
		}
		return f.code
	}
	return write(tls, file, bytes, n, offset)
}

func faultySync(tls *libc.TLS, file uintptr, flags int32) int32 {
	o := faultyOf(file)
	f := o.trouble
	if f.failSync == 0 {
		f.failSync = -1
		return lib.SQLITE_IOERR | 4<<8 // SQLITE_IOERR_FSYNC
	}
	f.failSync = max(-1, f.failSync-1)
	return call[func(*libc.TLS, uintptr, int32) int32](at[lib.Tsqlite3_io_methods](o.below).FxSync)(tls, file, flags)
}

var faultyNames atomic.Int64

// shimmed is a configuration over a VFS of faults.
func shimmed(t *testing.T, mode Synchronous) (Config, *faults) {
	t.Helper()
	name := fmt.Sprint("faulty", faultyNames.Add(1))
	f := newFaults(t, name)
	if err := registerVFS("over-"+name, name); err != nil {
		t.Fatal(err)
	}
	cfg, err := Config{Path: filepath.Join(t.TempDir(), "log.db"), Synchronous: mode, vfs: "over-" + name}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return cfg, f
}

// narrow opens a connection that keeps next to no pages in memory, so that
// transactions are written to the log before they end.
func narrow(t *testing.T, cfg Config) *conn {
	t.Helper()
	c, err := connect(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := c.exec("PRAGMA cache_size = 4", nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// rowsOf reads the table.
func rowsOf(c *conn) (map[int64]string, error) {
	rows := map[int64]string{}
	s, more, err := c.query("select id, body from rows", nil)
	if err != nil {
		return nil, err
	}
	defer c.put(s)
	for more {
		id := lib.Xsqlite3_column_int64(c.tls, s.handle, 0)
		rows[id] = libc.GoString(lib.Xsqlite3_column_text(c.tls, s.handle, 1))
		if more, err = c.next(s); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// recovered is what a process finds that begins when this one is killed now.
func recovered(t *testing.T, path string) map[int64]string {
	t.Helper()
	cfg, err := Config{Path: filepath.Join(t.TempDir(), "copy.db")}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(cfg.Path+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := connect(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	rows, err := rowsOf(c)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
