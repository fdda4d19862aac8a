package jsonscan

import (
	"errors"
	"strconv"
)

// The causes that an [Error] wraps; test for them with errors.Is.
var (
	// ErrSyntax means that the document is not one JSON value as RFC 8259 defines it, or is not UTF-8.
	ErrSyntax = errors.New("invalid JSON")
	// ErrDepth means that arrays and objects are nested deeper than the limit.
	ErrDepth = errors.New("JSON nested too deep")
	// ErrNotObject means that the value is valid so far but not an object (or not an array, for ForEachElement).
	ErrNotObject = errors.New("unexpected JSON value")
	// ErrDuplicate means that a wanted member occurs twice.
	ErrDuplicate = errors.New("duplicate member")
	// ErrEscapedKey means that a wanted member's key is written with escapes.
	ErrEscapedKey = errors.New("escaped member name")
	// ErrType means that a value is not of the kind that was asked for.
	ErrType = errors.New("wrong type")
	// ErrRange means that a number does not fit into the type that was asked for.
	ErrRange = errors.New("number out of range")
	// ErrEdit means that edits given to Splice contradict each other or do not belong to the body.
	ErrEdit = errors.New("invalid edit")
)

// Error tells what is wrong with a document and where. Its text holds the offset and at most the name of a wanted
// member, never other content of the document, so it can be shown to whoever sent it.
type Error struct {
	// Cause is one of the Err… variables.
	Cause error
	// Key is the member that the error is about, or empty.
	Key string
	// Offset is the byte offset at which the fault was seen.
	Offset int
	// Detail says in plain words what was expected or found.
	Detail string
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Cause.Error()
	if e.Key != "" {
		s += " " + strconv.Quote(e.Key)
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s + " at byte " + strconv.Itoa(e.Offset)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }
