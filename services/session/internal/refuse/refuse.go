// Package refuse makes the refusals of the session room as the contract words
// them.
package refuse

import (
	"strconv"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// NotFound says that the caller has no such session.
func NotFound(id string) *fault.Fault {
	return fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_SESSION_NOT_FOUND, "there is no such session", "session_id", id)
}

// Ended says that the session takes nothing new.
func Ended(id string, state sessionv1.Session_State) *fault.Fault {
	text := "the session has ended"
	if state == sessionv1.Session_STATE_EXPIRED {
		text = "the session has expired"
	}
	return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_SESSION_ENDED, text,
		"session_id", id, "state", state.String())
}

// VersionConflict says that the session has another version than expected.
func VersionConflict(expected, actual int64) *fault.Fault {
	return fault.New(codes.Aborted, meshv1.ErrorReason_ERROR_REASON_VERSION_CONFLICT, "the session was changed meanwhile",
		"expected", strconv.FormatInt(expected, 10), "actual", strconv.FormatInt(actual, 10))
}

// AlreadyExists says that a chosen id is taken.
func AlreadyExists(id string) *fault.Fault {
	return fault.New(codes.AlreadyExists, meshv1.ErrorReason_ERROR_REASON_ALREADY_EXISTS, "the id is taken", "id", id)
}

// MessageNotFound says that the session has no such message.
func MessageNotFound(id string) *fault.Fault {
	return fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_MESSAGE_NOT_FOUND, "the session has no such message", "message_id", id)
}
