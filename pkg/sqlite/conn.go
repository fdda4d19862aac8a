package sqlite

import (
	"errors"
	"fmt"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	lib "modernc.org/sqlite/lib"
)

// conn is the writer's connection. It calls SQLite itself and not through
// database/sql, whose way of binding arguments costs as much as a short statement
// does, and it locks nothing: one goroutine uses it at a time.
type conn struct {
	tls   *libc.TLS
	db    uintptr
	stmts map[string]*prepared
	texts map[string]string // of a Row, and of several such
	out   uintptr           // room for one pointer
	grown uintptr           // how many frames the log has had since the last commit, an int32
	busy  int32             // how long it waits for locks, in milliseconds

	room   arena
	values []any // being bound
}

// prepared is a statement of a conn.
type prepared struct {
	handle uintptr
	params int
	inUse  bool // rows are being read from it
	kept   bool
}

// failure is an error of SQLite.
type failure struct {
	code    int
	message string
}

func (f *failure) Error() string { return f.message }

// connect opens a connection as cfg says.
func connect(cfg Config) (*conn, error) {
	c := &conn{tls: libc.NewTLS(), stmts: map[string]*prepared{}}
	if c.out = libc.Xmalloc(c.tls, 2*types.Size_t(unsafe.Sizeof(uintptr(0)))); c.out == 0 {
		c.tls.Close()
		return nil, errNoMemory
	}
	c.grown = c.out + unsafe.Sizeof(uintptr(0))
	*at[int32](c.grown) = 0
	name, err := libc.CString(cfg.uri("mode=rwc"))
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	defer libc.Xfree(c.tls, name)
	rc := lib.Xsqlite3_open_v2(c.tls, name, c.out, lib.SQLITE_OPEN_READWRITE|lib.SQLITE_OPEN_CREATE|lib.SQLITE_OPEN_NOMUTEX|lib.SQLITE_OPEN_URI, 0)
	c.db = c.given()
	if rc == lib.SQLITE_OK {
		rc = lib.Xsqlite3_extended_result_codes(c.tls, c.db, 1)
	}
	if rc != lib.SQLITE_OK {
		return nil, errors.Join(c.failed(rc), c.close())
	}
	c.busy = int32(cfg.BusyTimeout.Milliseconds())
	lib.Xsqlite3_busy_timeout(c.tls, c.db, c.busy)
	for _, p := range cfg.writerPragmas() {
		if _, err := c.exec("PRAGMA "+p[0]+" = "+p[1], nil); err != nil {
			return nil, errors.Join(err, c.close())
		}
	}
	// What undoes a statement that failed needs no file then.
	if _, err := c.exec("PRAGMA temp_store = MEMORY", nil); err != nil {
		return nil, errors.Join(err, c.close())
	}
	lib.Xsqlite3_wal_hook(c.tls, c.db, pointer(logGrew), c.grown)
	return c, nil
}

// logGrew is what SQLite calls after a commit to a log. It stands in the place of
// SQLite's own checkpoints.
func logGrew(_ *libc.TLS, grown, _, _ uintptr, frames int32) int32 {
	*at[int32](grown) = frames
	return lib.SQLITE_OK
}

// moveLog moves the log into the tables when it has become long, as far as readers
// allow: no transaction is open. Where it fails, the log has all that it had, and
// grows until it succeeds.
//
// Of SQLite's ways it is the one that keeps other writers out, so that it is known
// from its begin on whether all of the log is moved.
func (c *conn) moveLog() {
	if *at[int32](c.grown) < maxLog {
		return
	}
	*at[int32](c.grown) = 0
	lib.Xsqlite3_busy_timeout(c.tls, c.db, 0) // readers are not waited for
	lib.Xsqlite3_wal_checkpoint_v2(c.tls, c.db, 0, lib.SQLITE_CHECKPOINT_FULL, 0, 0)
	lib.Xsqlite3_busy_timeout(c.tls, c.db, c.busy)
}

var errNoMemory = errors.New("sqlite: out of memory")

// close ends the connection and lets go of all that it has.
func (c *conn) close() error {
	var err error
	for text, s := range c.stmts {
		lib.Xsqlite3_finalize(c.tls, s.handle) // tells of the last run, which was answered
		delete(c.stmts, text)
	}
	if c.db != 0 {
		if rc := lib.Xsqlite3_close_v2(c.tls, c.db); rc != lib.SQLITE_OK {
			err = c.failed(rc)
		}
	}
	c.room.free(c.tls)
	libc.Xfree(c.tls, c.out)
	c.tls.Close()
	return err
}

// given is the pointer that SQLite wrote to out.
func (c *conn) given() uintptr {
	return *(*uintptr)(unsafe.Pointer(&memory(c.out, int(unsafe.Sizeof(c.out)))[0]))
}

// failed makes an error of a result code.
func (c *conn) failed(rc int32) error {
	message := libc.GoString(lib.Xsqlite3_errstr(c.tls, rc))
	if c.db != 0 {
		if more := libc.GoString(lib.Xsqlite3_errmsg(c.tls, c.db)); more != message {
			message += ": " + more
		}
	}
	return &failure{code: int(rc), message: fmt.Sprintf("%s (%d)", message, rc)}
}

// statement returns the prepared statement of a text, to be given back by put. Two
// uses of one text at the same time get two: SQLite's statement is its own cursor.
func (c *conn) statement(query string) (*prepared, error) {
	s := c.stmts[query]
	if s != nil && !s.inUse {
		s.inUse = true
		return s, nil
	}
	text, err := libc.CString(query)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, text)
	if rc := lib.Xsqlite3_prepare_v3(c.tls, c.db, text, int32(len(query))+1, lib.SQLITE_PREPARE_PERSISTENT, c.out, 0); rc != lib.SQLITE_OK {
		return nil, c.failed(rc)
	}
	handle := c.given()
	if handle == 0 {
		return nil, errors.New("sqlite: empty statement")
	}
	fresh := &prepared{handle: handle, params: int(lib.Xsqlite3_bind_parameter_count(c.tls, handle)), inUse: true, kept: s == nil}
	if fresh.kept {
		if len(c.stmts) >= maxStatements {
			c.evict()
		}
		c.stmts[query] = fresh
	}
	return fresh, nil
}

// evict forgets one statement, whichever comes first.
func (c *conn) evict() {
	for query, s := range c.stmts {
		if !s.inUse {
			delete(c.stmts, query)
			lib.Xsqlite3_finalize(c.tls, s.handle)
			return
		}
	}
}

// put gives a statement back.
func (c *conn) put(s *prepared) {
	s.inUse = false
	if !s.kept {
		lib.Xsqlite3_finalize(c.tls, s.handle)
		return
	}
	lib.Xsqlite3_reset(c.tls, s.handle) // tells once more what step told
}

// exec runs a statement to its end and returns how many rows it changed.
func (c *conn) exec(query string, args []any) (changed int64, err error) {
	s, err := c.statement(query)
	if err != nil {
		return 0, err
	}
	defer c.put(s)
	if err := c.bind(s, args, false); err != nil {
		return 0, err
	}
	return c.finish(s)
}

// run is exec of a Stmt.
func (c *conn) run(stmt Stmt) (changed int64, err error) {
	if stmt.Values.none() {
		return c.exec(stmt.Query, stmt.Args)
	}
	s, err := c.statement(stmt.Query)
	if err != nil {
		return 0, err
	}
	defer c.put(s)
	if err := c.bindValues(s, stmt.Values); err != nil {
		return 0, err
	}
	return c.finish(s)
}

// finish runs a bound statement to its end.
func (c *conn) finish(s *prepared) (changed int64, err error) {
	for {
		more, err := c.next(s)
		if err != nil {
			return 0, err
		}
		if !more {
			return lib.Xsqlite3_changes64(c.tls, c.db), nil
		}
	}
}

// query runs a statement to its first row, if there is one; next reads the others.
func (c *conn) query(query string, args []any) (s *prepared, more bool, err error) {
	if s, err = c.statement(query); err != nil {
		return nil, false, err
	}
	if err = c.bind(s, args, true); err == nil {
		more, err = c.next(s)
	}
	if err != nil {
		c.put(s)
		return nil, false, err
	}
	return s, more, nil
}

// next moves to the next row; false at the end.
func (c *conn) next(s *prepared) (bool, error) {
	switch rc := lib.Xsqlite3_step(c.tls, s.handle); rc {
	case lib.SQLITE_ROW:
		return true, nil
	case lib.SQLITE_DONE:
		return false, nil
	default:
		return false, c.failed(rc)
	}
}
