package provider

import (
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// Error is why a call failed, with what the room needs to decide whether to
// call again.
type Error struct {
	// Fault is what clients see.
	Fault *fault.Fault
	// Status is the HTTP status of the answer; 0 where there was none.
	Status int
	// NotSent says that the provider cannot have begun: no byte of the request
	// reached it.
	NotSent bool
	// Refused says that the provider answered and declined before it began.
	Refused bool
}

// Error is the text for the log.
func (e *Error) Error() string { return e.Fault.Error() }

// Unwrap returns the fault.
func (e *Error) Unwrap() error { return e.Fault }

// Unreachable is the error for a connection that could not be made or broke
// before an answer.
func Unreachable(name string, notSent bool, cause error) *Error {
	message := "the provider " + name + " cannot be reached"
	if !notSent {
		message = "the connection to the provider " + name + " broke before it answered"
	}
	return &Error{
		NotSent: notSent,
		Fault: fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE,
			message, "provider", name).WithCause(cause),
	}
}

// Exhausted is the error for a connection that could not be made because this
// process, or its machine, has no more files, ports or memory for it. It tells nothing
// about the provider.
func Exhausted(name string, cause error) *Error {
	return &Error{NotSent: true, Fault: fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_OVERLOADED,
		"there are no more files or ports for a connection to the provider "+name, "room", "gpt", "provider", name).
		WithRetryAfter(time.Second).WithCause(cause)}
}

// Protocol is the error for an answer that the provider's wire does not allow.
func Protocol(name string, cause error) *Error {
	return &Error{Fault: fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL,
		"the provider "+name+" sent an answer that cannot be understood", "provider", name).WithCause(cause)}
}

// Truncated is the error for an answer that ended before its end.
func Truncated(name string, cause error) *Error {
	return &Error{Fault: fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED,
		"the provider "+name+" closed the stream before the end of the answer", "provider", name).WithCause(cause)}
}

// Unsupported is the error for what an adapter cannot do. field may be empty.
func Unsupported(name, field, message string) *Error {
	return &Error{NotSent: true, Fault: fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED,
		message, "provider", name, "field", field)}
}

// RetryAfter is the provider's wish, or 0.
func (e *Error) RetryAfter() time.Duration { return e.Fault.RetryAfter }

// Unsent is the error of a call that could not be put into the provider's
// dialect.
func Unsent(err error) *Error { return &Error{Fault: fault.From(err), NotSent: true} }
