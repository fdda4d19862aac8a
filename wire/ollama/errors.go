package ollama

import (
	"net/http"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc/codes"
)

// statusClientClosed is the status of a request that its client gave up.
const statusClientClosed = 499

// Error is the answer to a request that failed before its first byte: the
// status and a body of {"error":"text"}. The text of an unknown model is the
// one that clients look for, "model 'x' not found".
func Error(err error) (status int, body []byte) {
	f := fault.From(err)
	if f == nil {
		f = fault.Internal(nil)
	}
	return statusOf(f), appendError(nil, failureText(wire.Failure(f)))
}

func appendError(dst []byte, text string) []byte {
	return append(jsonscan.AppendString(append(dst, `{"error":`...), text), '}')
}

// failureText is what a client reads.
func failureText(failure *conversationv1.Failure) string {
	model, known := failure.GetMetadata()["model"]
	switch {
	case failure.GetReason() == meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND && known:
		return "model '" + model + "' not found"
	case failure.GetMessage() == "":
		return fault.ReasonName(failure.GetReason())
	}
	return failure.GetMessage()
}

// statusOf is the HTTP status of a fault: by its reason where the code alone
// would mislead a client, else by its code.
func statusOf(f *fault.Fault) int {
	if wire.MayHaveBegun(f) {
		return http.StatusBadGateway
	}
	if wire.ProviderOverloaded(f) {
		return http.StatusServiceUnavailable
	}
	switch f.Reason {
	case meshv1.ErrorReason_ERROR_REASON_TOO_LARGE:
		return http.StatusRequestEntityTooLarge
	case meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY, meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE,
		meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL,
		meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED, meshv1.ErrorReason_ERROR_REASON_EMPTY_ANSWER:
		return http.StatusBadGateway
	case meshv1.ErrorReason_ERROR_REASON_PROVIDER_NOT_CONFIGURED:
		return http.StatusServiceUnavailable
	}
	switch f.Code {
	case codes.InvalidArgument, codes.OutOfRange, codes.FailedPrecondition:
		return http.StatusBadRequest
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.NotFound:
		return http.StatusNotFound
	case codes.AlreadyExists, codes.Aborted:
		return http.StatusConflict
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case codes.Unimplemented:
		return http.StatusNotImplemented
	case codes.Unavailable:
		return http.StatusServiceUnavailable
	case codes.DeadlineExceeded:
		return http.StatusGatewayTimeout
	case codes.Canceled:
		return statusClientClosed
	}
	return http.StatusInternalServerError
}
