package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"syscall"

	modernc "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// errTxOver answers a Tx used after its function returned.
var errTxOver = errors.New("sqlite: transaction used after its function returned")

// errNoRow answers a Scan where there is no row.
var errNoRow = errors.New("sqlite: no row to scan")

// rowOf makes a row whose Scan returns err: database/sql alone can make rows, and
// gives them the error of a connection that cannot be made.
func rowOf(err error) *sql.Row {
	nowhere := sql.OpenDB(unreachable{err})
	defer nowhere.Close()
	return nowhere.QueryRowContext(context.Background(), "")
}

// unreachable is a driver.Connector that has no connections to give.
type unreachable struct{ err error }

func (u unreachable) Connect(context.Context) (driver.Conn, error) { return nil, u.err }

func (unreachable) Driver() driver.Driver { return nil }

// code returns SQLite's extended result code, 0 for other errors.
func code(err error) int {
	if err == nil {
		return 0
	}
	var f *failure
	if errors.As(err, &f) {
		return f.code
	}
	var e *modernc.Error // of a reader
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// IsUniqueViolation tells whether err comes from a primary key or a unique
// index.
func IsUniqueViolation(err error) bool {
	switch code(err) {
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY, lib.SQLITE_CONSTRAINT_ROWID:
		return true
	}
	return false
}

// IsConstraintViolation tells whether err comes from any constraint: unique,
// foreign key, not null or check.
func IsConstraintViolation(err error) bool { return code(err)&0xff == lib.SQLITE_CONSTRAINT }

// IsBusy tells whether err comes from a lock that was not given in time.
func IsBusy(err error) bool {
	switch code(err) & 0xff {
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return true
	}
	return false
}

// IsUnavailable tells whether err is of the disk and not of what was asked of it: it is
// full, or so is the size allowed to the database; it takes no writes, or fails; this
// process has no more files or memory. The same may go well later.
func IsUnavailable(err error) bool {
	switch code(err) & 0xff {
	case lib.SQLITE_FULL, lib.SQLITE_READONLY, lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN, lib.SQLITE_NOMEM:
		return true
	}
	// Of the journal's files, which are no database.
	return errors.As(err, new(syscall.Errno))
}

// refused tells whether err is about the statement itself: it would fail again.
func refused(err error) bool {
	switch code(err) & 0xff {
	case lib.SQLITE_ERROR, lib.SQLITE_CONSTRAINT, lib.SQLITE_MISMATCH, lib.SQLITE_TOOBIG, lib.SQLITE_RANGE:
		return true
	}
	return false
}

// endsTransaction tells whether SQLite may have rolled the whole transaction
// back by itself when it reported err.
func endsTransaction(err error) bool {
	switch code(err) & 0xff {
	case lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_NOMEM, lib.SQLITE_BUSY, lib.SQLITE_INTERRUPT, lib.SQLITE_CORRUPT:
		return true
	}
	return false
}
