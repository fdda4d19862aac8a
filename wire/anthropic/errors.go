package anthropic

import (
	"net/http"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc/codes"
)

const (
	statusClientClosed = 499 // the client gave its request up
	statusOverloaded   = 529
)

// Error is the answer to a request that failed before its first byte: the
// status and a body of {"type":"error","error":{"type":…,"message":…}}, whose
// type follows the status.
func Error(err error) (status int, body []byte) {
	f := fault.From(err)
	if f == nil {
		f = fault.Internal(nil)
	}
	return statusOf(f), appendError(nil, f)
}

func appendError(dst []byte, f *fault.Fault) []byte {
	message := f.Message
	if message == "" {
		message = fault.ReasonName(f.Reason)
	}
	dst = append(dst, `{"type":"error","error":{"type":"`...)
	dst = append(append(dst, errorType(statusOf(f))...), `","message":`...)
	return append(jsonscan.AppendString(dst, message), "}}"...)
}

// errorType is the dialect's word for a status.
func errorType(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusGatewayTimeout:
		return "timeout_error"
	case statusOverloaded:
		return "overloaded_error"
	}
	if status < http.StatusInternalServerError {
		return "invalid_request_error"
	}
	return "api_error"
}

// statusOf is the HTTP status of a fault: by its reason where the code alone
// would mislead a client, else by its code.
func statusOf(f *fault.Fault) int {
	if wire.MayHaveBegun(f) {
		return http.StatusBadGateway
	}
	if wire.ProviderOverloaded(f) {
		return statusOverloaded
	}
	switch f.Reason {
	case meshv1.ErrorReason_ERROR_REASON_TOO_LARGE:
		return http.StatusRequestEntityTooLarge
	case meshv1.ErrorReason_ERROR_REASON_OVERLOADED, meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN:
		return statusOverloaded
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
	case codes.Unimplemented: // SDKs send a 501 again, which cannot help
		return http.StatusBadRequest
	case codes.Unavailable:
		return http.StatusServiceUnavailable
	case codes.DeadlineExceeded:
		return http.StatusGatewayTimeout
	case codes.Canceled:
		return statusClientClosed
	}
	return http.StatusInternalServerError
}
