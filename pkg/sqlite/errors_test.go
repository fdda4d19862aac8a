package sqlite

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	lib "modernc.org/sqlite/lib"
)

func TestIsUnavailable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"full":            {&failure{code: lib.SQLITE_FULL}, true},
		"read-only":       {&failure{code: lib.SQLITE_READONLY_DBMOVED}, true},
		"a write failed":  {&failure{code: lib.SQLITE_IOERR_WRITE}, true},
		"no more files":   {&failure{code: lib.SQLITE_CANTOPEN}, true},
		"of the journal":  {fmt.Errorf("journal: %w", &os.PathError{Op: "open", Path: "j", Err: syscall.EROFS}), true},
		"of the request":  {&failure{code: lib.SQLITE_CONSTRAINT_UNIQUE}, false},
		"of the database": {&failure{code: lib.SQLITE_CORRUPT}, false},
		"another":         {errors.New("another"), false},
		"none":            {nil, false},
	} {
		if got := IsUnavailable(c.err); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
