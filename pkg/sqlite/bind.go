package sqlite

import (
	"fmt"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	lib "modernc.org/sqlite/lib"
)

// arena is memory of SQLite's side in which the bytes of arguments lie while a
// statement runs.
type arena struct {
	at         uintptr
	size, used int
}

const (
	// minArena is what is asked for at first, maxArena the largest that is kept.
	minArena, maxArena = 4 << 10, 256 << 10
)

// begin makes room for size bytes and forgets those of before.
func (a *arena) begin(tls *libc.TLS, size int) error {
	a.used = 0
	if a.at != 0 && size <= a.size && (a.size <= maxArena || size > maxArena) {
		return nil
	}
	a.free(tls)
	size = max(size, minArena)
	if a.at = libc.Xmalloc(tls, types.Size_t(size)); a.at == 0 {
		return errNoMemory
	}
	a.size = size
	return nil
}

// put copies bytes for which begin made room, and returns where they are.
func (a *arena) put(b []byte) uintptr {
	at := a.at + uintptr(a.used)
	copy(memory(at, len(b)), b)
	a.used += len(b)
	return at
}

func (a *arena) free(tls *libc.TLS) {
	if a.at != 0 {
		libc.Xfree(tls, a.at)
	}
	*a = arena{}
}

// memory is n bytes of SQLite's side, which Go's collector does not know.
func memory(at uintptr, n int) []byte {
	if at == 0 || n <= 0 {
		return nil
	}
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&at))), n)
}

// bind gives a statement its arguments. Their bytes lie in c.room, for a statement
// that runs to its end before the next one is bound, or with copied in memory of
// SQLite's own.
func (c *conn) bind(s *prepared, args []any, copied bool) error {
	if len(args) < s.params {
		return missing(len(args), s.params)
	}
	defer func() {
		clear(c.values) // they hold rows
		c.values = c.values[:0]
	}()
	size := 0
	for i, arg := range args[:s.params] {
		value, err := toValue(arg)
		if err != nil {
			return fmt.Errorf("sqlite: argument %d: %w", i+1, err)
		}
		switch v := value.(type) {
		case string:
			size += len(v)
		case []byte:
			size += len(v)
		}
		c.values = append(c.values, value)
	}
	if err := c.room.begin(c.tls, size); err != nil {
		return err
	}
	for i, value := range c.values {
		if err := c.bindValue(s.handle, int32(i+1), value, copied); err != nil {
			return err
		}
	}
	return nil
}

func missing(args, params int) error {
	return fmt.Errorf("sqlite: %d arguments for %d parameters", args, params)
}

func (c *conn) bindValue(handle uintptr, place int32, value any, copied bool) error {
	var destructor uintptr // none: the bytes stay where they are
	if copied {
		destructor = lib.SQLITE_TRANSIENT
	}
	var rc int32
	switch v := value.(type) {
	case nil:
		rc = lib.Xsqlite3_bind_null(c.tls, handle, place)
	case int64:
		rc = lib.Xsqlite3_bind_int64(c.tls, handle, place, v)
	case bool:
		n := int64(0)
		if v {
			n = 1
		}
		rc = lib.Xsqlite3_bind_int64(c.tls, handle, place, n)
	case float64:
		rc = lib.Xsqlite3_bind_double(c.tls, handle, place, v)
	case string:
		at := c.room.put(unsafe.Slice(unsafe.StringData(v), len(v)))
		rc = lib.Xsqlite3_bind_text64(c.tls, handle, place, at, uint64(len(v)), destructor, lib.SQLITE_UTF8)
	case []byte:
		if v == nil {
			rc = lib.Xsqlite3_bind_null(c.tls, handle, place)
			break
		}
		rc = lib.Xsqlite3_bind_blob64(c.tls, handle, place, c.room.put(v), uint64(len(v)), destructor)
	default:
		return fmt.Errorf("sqlite: argument %d: cannot bind a %T", place, value)
	}
	if rc != lib.SQLITE_OK {
		return c.failed(rc)
	}
	return nil
}
