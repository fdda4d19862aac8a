//go:build amd64 || arm64

package sqlite

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
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
	vfs       lib.Tsqlite3_vfs
	below     uintptr
	writes    int64 // to logs, so far
	failAfter int64 // writes to logs from now; negative: never
	failSync  int64
	code      int32
	short     int32 // bytes that are written of the write that fails
}

type faultyFile struct {
	methods lib.Tsqlite3_io_methods
	below   uintptr
	vfs     uintptr
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
	*f = faults{vfs: *at[lib.Tsqlite3_vfs](below), below: below, failAfter: -1, failSync: -1}
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
	if rc != lib.SQLITE_OK || flags&lib.SQLITE_OPEN_WAL == 0 {
		return rc
	}
	place := file + behind(below.FszOsFile)
	o, methods := at[faultyFile](place), &at[lib.Tsqlite3_file](file).FpMethods
	*o = faultyFile{methods: *at[lib.Tsqlite3_io_methods](*methods), below: *methods, vfs: vfs}
	o.methods.FxWrite, o.methods.FxSync = pointer(faultyWrite), pointer(faultySync)
	*methods = place
	return rc
}

// faultyOf finds the faulty file below a file of a shim.
func faultyOf(file uintptr) (*faultyFile, *faults) {
	o := at[faultyFile](at[overlay](at[lib.Tsqlite3_file](file).FpMethods).below)
	return o, at[faults](o.vfs)
}

func faultyWrite(tls *libc.TLS, file, bytes uintptr, n int32, offset int64) int32 {
	o, f := faultyOf(file)
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
	o, f := faultyOf(file)
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

// TestNoCommitInVain runs transactions of two connections in turn, with faults of the
// file of their log, and holds what they and a reader find against what was
// acknowledged.
func TestNoCommitInVain(t *testing.T) {
	t.Parallel()
	for _, mode := range []Synchronous{Full, Normal, Off} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			cfg, f := shimmed(t, mode)
			writers := []*conn{narrow(t, cfg), narrow(t, cfg)}
			reader := narrow(t, cfg)
			if _, err := writers[0].exec("create table rows (id integer primary key, body text not null)", nil); err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(7, uint64(len(mode))))
			whole := map[int64]string{}
			var failed, committed int
			for step := range 50 {
				f.failAfter, f.failSync = -1, -1
				f.code, f.short = lib.SQLITE_FULL, 0
				switch random.IntN(4) {
				case 0:
					f.failAfter = random.Int64N(40)
				case 1:
					f.failAfter, f.code, f.short = random.Int64N(8), lib.SQLITE_IOERR|3<<8, random.Int32N(9000)
				case 2:
					f.failSync = random.Int64N(3)
				}
				w := writers[random.IntN(2)]
				next, err := transaction(w, random, whole)
				if err == nil {
					whole = next
					committed++
				} else {
					failed++
					_, _ = w.exec("ROLLBACK", nil) // where SQLite has not done it
				}
				f.failAfter, f.failSync = -1, -1
				for i, c := range []*conn{reader, writers[0], writers[1]} {
					if rows, err := rowsOf(c); err != nil || !maps.Equal(rows, whole) {
						t.Fatalf("step %d: connection %d reads %d rows, %v; %d were acknowledged", step, i, len(rows), err, len(whole))
					}
				}
				if err == nil && step%5 == 0 {
					if rows := recovered(t, cfg.Path); !maps.Equal(rows, whole) {
						t.Fatalf("step %d: recovered %d rows of %d", step, len(rows), len(whole))
					}
				}
			}
			if failed < 8 || committed < 8 {
				t.Errorf("%d transactions failed, %d were committed: too few to tell", failed, committed)
			}
			s, _, err := reader.query("pragma integrity_check", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer reader.put(s)
			if text := libc.GoString(lib.Xsqlite3_column_text(reader.tls, s.handle, 0)); text != "ok" {
				t.Error(text)
			}
		})
	}
}

// transaction changes rows at random, undoes some of it, and commits or rolls back. It
// returns what the table then holds.
func transaction(c *conn, random *rand.Rand, before map[int64]string) (map[int64]string, error) {
	after := maps.Clone(before)
	if _, err := c.exec("BEGIN IMMEDIATE", nil); err != nil {
		return nil, err
	}
	for range 1 + random.IntN(3) {
		mark := maps.Clone(after)
		if _, err := c.exec("SAVEPOINT one", nil); err != nil {
			return nil, err
		}
		for range random.IntN(60) {
			id, body := random.Int64N(80), strings.Repeat(string(rune('a'+random.IntN(26))), 1+random.IntN(1500))
			if _, err := c.exec("insert or replace into rows (id, body) values (?, ?)", []any{id, body}); err != nil {
				return nil, err
			}
			after[id] = body
		}
		if random.IntN(3) == 0 {
			after = mark
			if _, err := c.exec("ROLLBACK TO one", nil); err != nil {
				return nil, err
			}
		}
		if _, err := c.exec("RELEASE one", nil); err != nil {
			return nil, err
		}
	}
	if random.IntN(5) == 0 {
		_, err := c.exec("ROLLBACK", nil)
		return before, err
	}
	_, err := c.exec("COMMIT", nil)
	return after, err
}

// TestFramesAreGathered shows that a commit is few writes, all of them before it is
// acknowledged.
func TestFramesAreGathered(t *testing.T) {
	t.Parallel()
	cfg, f := shimmed(t, Off)
	c, err := connect(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if _, err := c.exec("create table rows (id integer primary key, body text not null)", nil); err != nil {
		t.Fatal(err)
	}
	f.writes = 0
	const pages = 200
	if _, err := c.exec("insert into rows (body) with recursive n(i) as (select 1 union all select i+1 from n where i < ?) select hex(zeroblob(1900)) from n", []any{pages}); err != nil {
		t.Fatal(err)
	}
	if f.writes < pages*4096/mostHeld || f.writes > pages/8 {
		t.Errorf("%d writes for %d pages and more", f.writes, pages)
	}
	if rows := recovered(t, cfg.Path); len(rows) != pages {
		t.Errorf("the files hold %d rows of %d", len(rows), pages)
	}
}
