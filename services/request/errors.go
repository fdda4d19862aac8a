package request

import (
	"context"
	"errors"
	"strconv"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/groupcommit"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"google.golang.org/grpc/codes"
)

// room is this room's name in faults.
const room = "request"

func notFound(id string) *fault.Fault {
	return fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_REQUEST_NOT_FOUND, "there is no such request", "request_id", id)
}

func shuttingDown() *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN, "this process is shutting down", "room", room)
}

func overloaded(what string) *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_OVERLOADED, what, "room", room)
}

func tooLarge(field string, limit int) *fault.Fault {
	f := fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE,
		field+": larger than "+strconv.Itoa(limit)+" bytes", "limit_bytes", strconv.Itoa(limit), "field", field)
	f.Fields = []fault.FieldViolation{{Field: field, Description: "too large"}}
	return f
}

func keyConflict(id string) *fault.Fault {
	return fault.New(codes.AlreadyExists, meshv1.ErrorReason_ERROR_REASON_IDEMPOTENCY_CONFLICT,
		"idempotency_key: was used with another request", "request_id", id, "field", "idempotency_key")
}

// outcomeUnknown is for whoever comes with the key of a request that ended
// before its answer came, when a provider may have been at work.
func outcomeUnknown(held *requestv1.Request) *fault.Fault {
	return fault.New(codes.Aborted, meshv1.ErrorReason_ERROR_REASON_OUTCOME_UNKNOWN,
		"an earlier call under this idempotency key ended before its answer came, and the provider may have done the work: it is not asked again",
		"request_id", held.GetId(), "response_id", held.GetResponseId(), "cause", fault.ReasonName(held.GetFailure().GetReason()))
}

func illegal(from, to requestv1.Request_State) *fault.Fault {
	return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_ILLEGAL_TRANSITION,
		"the request is in a final state", "from", from.String(), "to", to.String())
}

func wasCancelled() *fault.Fault {
	return fault.New(codes.Canceled, meshv1.ErrorReason_ERROR_REASON_CANCELLED, "the request was cancelled")
}

func wasInterrupted(responseID string) *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_INTERRUPTED,
		"the process that handled the request stopped before the end", "response_id", responseID)
}

func deadline(in string) *fault.Fault {
	return fault.New(codes.DeadlineExceeded, meshv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED, "the deadline ran out", "room", in)
}

// roomFault makes the client's error of a call to another room.
func roomFault(err error, other string) *fault.Fault {
	f := fault.From(err)
	if f.Metadata["room"] != "" {
		return f
	}
	switch f.Reason {
	case meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE:
		return fault.New(f.Code, f.Reason, "the "+other+" room cannot be reached", "room", other).WithCause(f.Cause)
	case meshv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED:
		return deadline(other)
	}
	return f
}

// storeFault makes the client's error of a store's.
func storeFault(err error, id string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound), postgres.IsUnfitText(err): // no id is like that
		return notFound(id)
	case errors.Is(err, context.Canceled):
		return fault.From(err)
	case errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, groupcommit.ErrClosed), errors.Is(err, groupcommit.ErrAborted),
		sqlite.IsBusy(err), sqlite.IsUnavailable(err),
		postgres.IsUnavailable(err), postgres.IsFull(err), postgres.IsConflict(err):
		return fault.StoreUnavailable(room, err)
	}
	return fault.Internal(err)
}

// clientsFault says whether a failure would be the same for the same request.
func clientsFault(code codes.Code) bool {
	switch code {
	case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.AlreadyExists, codes.OutOfRange,
		codes.PermissionDenied, codes.Unauthenticated, codes.Unimplemented:
		return true
	}
	return false
}
