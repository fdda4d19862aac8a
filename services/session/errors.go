package session

import (
	"context"
	"errors"
	"strconv"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/session/internal/refuse"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const room = "session"

func tooLarge(field, description string, limit int) *fault.Fault {
	f := fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE, field+": "+description,
		"limit_bytes", strconv.Itoa(limit), "field", field)
	f.Fields = []fault.FieldViolation{{Field: field, Description: description}}
	return f
}

func sessionFull(limit int) *fault.Fault {
	return fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE,
		"the session is full: it can hold "+strconv.Itoa(limit)+" messages", "limit_messages", strconv.Itoa(limit))
}

func shuttingDown() *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN, "the session room is shutting down", "room", room)
}

// failed turns an error of the store into what a caller may see. Faults pass,
// as do errors of the context.
func failed(err error) error {
	if err == nil {
		return nil
	}
	if f := (*fault.Fault)(nil); errors.As(err, &f) {
		return f
	}
	if errors.Is(err, store.ErrUnavailable) {
		return fault.StoreUnavailable(room, err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	return fault.Internal(err)
}

// failedFor is failed for an operation on the session of an id.
func failedFor(id string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return refuse.NotFound(id)
	}
	return failed(err)
}
