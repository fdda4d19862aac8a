package response

import (
	"context"
	"errors"
	"strconv"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/groupcommit"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"google.golang.org/grpc/codes"
)

// room is this room's name in faults.
const room = "response"

func notFound(id string) *fault.Fault {
	return fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_RESPONSE_NOT_FOUND, "there is no such response", "response_id", id)
}

func alreadyExists(id string) *fault.Fault {
	return fault.New(codes.AlreadyExists, meshv1.ErrorReason_ERROR_REASON_ALREADY_EXISTS, "the response id is taken", "id", id)
}

func shuttingDown() *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN, "this process is shutting down", "room", room)
}

func overloaded() *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_OVERLOADED, "too many answers are being made", "room", room)
}

// interrupted names the last chunk before the end, from which a client resumes.
func interrupted(id string, last int64) *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_INTERRUPTED,
		"the process that made the answer stopped before the end", "response_id", id, "last_sequence", strconv.FormatInt(last, 10))
}

func cancelled() *fault.Fault {
	return fault.New(codes.Canceled, meshv1.ErrorReason_ERROR_REASON_CANCELLED, "the answer was cancelled")
}

func tooLarge(limit int) *fault.Fault {
	return fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE,
		"the answer is larger than "+strconv.Itoa(limit)+" bytes", "limit_bytes", strconv.Itoa(limit))
}

func emptyAnswer(model string) *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_EMPTY_ANSWER, "the model answered with nothing", "model", model)
}

func sequenceGone(last int64) *fault.Fault {
	return fault.New(codes.OutOfRange, meshv1.ErrorReason_ERROR_REASON_SEQUENCE_GONE,
		"after_sequence is beyond the end of the answer", "last_sequence", strconv.FormatInt(last, 10))
}

func brokenProtocol(what string) *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL, "the answer cannot be understood: "+what)
}

// storeFault makes the client's error of a store's.
func storeFault(err error, id string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound), postgres.IsUnfitText(err): // no id is like that
		return notFound(id)
	case errors.Is(err, store.ErrExists):
		return alreadyExists(id)
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
