package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATE codes, from the appendix "PostgreSQL Error Codes" of its manual.
const (
	codeUniqueViolation      = "23505"
	codeSerializationFailure = "40001"
	codeDeadlockDetected     = "40P01"
	codeDuplicateSchema      = "42P06"
	codeDivisionByZero       = "22012"
	codeNotInRepertoire      = "22021"
	codeLockNotAvailable     = "55P03"
	codeTooManyConnections   = "53300"
	codeDiskFull             = "53100"
	codeAdminShutdown        = "57P01"
	codeCrashShutdown        = "57P02"
	codeCannotConnectNow     = "57P03"

	classConnection = "08"
	classConstraint = "23"
)

// PanicError answers a Write whose function panicked. Nothing of it was kept.
type PanicError struct {
	// Value is what the function panicked with.
	Value any
	// Stack is the stack of the panic, for logs and never for clients.
	Stack []byte
}

// Error names the panic's value, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("postgres: panic: %v", e.Value) }

// Unwrap returns the panic's value when it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// code returns the SQLSTATE of an error of the server, empty for others.
func code(err error) string {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code
	}
	return ""
}

// IsUniqueViolation tells whether err comes from a primary key or a unique
// index.
func IsUniqueViolation(err error) bool { return code(err) == codeUniqueViolation }

// IsConstraintViolation tells whether err comes from any constraint: unique,
// foreign key, not null, check or exclusion.
func IsConstraintViolation(err error) bool { return strings.HasPrefix(code(err), classConstraint) }

// IsConflict tells whether err means that the transaction lost against
// another and may be run again: serialization failure or deadlock.
func IsConflict(err error) bool {
	switch code(err) {
	case codeSerializationFailure, codeDeadlockDetected:
		return true
	}
	return false
}

// IsUnfitText tells whether err means that a text cannot be kept, nor be there: it
// holds U+0000, or is not UTF-8.
func IsUnfitText(err error) bool { return code(err) == codeNotInRepertoire }

// IsFull tells whether err means that the server's disk is used up.
func IsFull(err error) bool { return code(err) == codeDiskFull }

// IsUnavailable tells whether err means that the server cannot be reached, is
// starting, stopping or has no connection left, or that the connection broke.
// After a Write that fails so it is not known whether it was committed. The
// end of the caller's own context is not counted.
func IsUnavailable(err error) bool {
	if err == nil {
		return false
	}
	if c := code(err); c != "" {
		switch c {
		case codeTooManyConnections, codeAdminShutdown, codeCrashShutdown, codeCannotConnectNow:
			return true
		}
		return strings.HasPrefix(c, classConnection)
	}
	if errors.Is(err, context.Canceled) {
		return false
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return true // also when its own timeout ended it
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		pgconn.SafeToRetry(err) // a connection that had broken before it was used
}
