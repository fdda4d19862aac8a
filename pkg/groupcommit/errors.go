package groupcommit

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed answers calls that come after, or were overtaken by, Close.
	ErrClosed = errors.New("group commit: closed")

	// ErrAborted answers calls whose batch was rolled back for a reason that
	// is not their own. Nothing of the call was kept; it may be tried again.
	ErrAborted = errors.New("group commit: batch rolled back")

	// ErrNested answers a call made with the context of a running call: it
	// would wait for itself.
	ErrNested = errors.New("group commit: write inside a write")
)

// PanicError answers a call whose function panicked. Nothing of it was kept.
type PanicError struct {
	// Value is what the function panicked with.
	Value any
	// Stack is the stack of the panic, for logs and never for clients.
	Stack []byte
}

// Error names the panic's value, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("group commit: panic: %v", e.Value) }

// Unwrap returns the panic's value when it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
