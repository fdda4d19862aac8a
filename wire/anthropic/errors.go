package anthropic

import (
	"net/http"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/httpstatus"
)

const statusOverloaded = 529

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

// statusOf is the HTTP status of a fault.
func statusOf(f *fault.Fault) int {
	switch {
	case wire.MayHaveBegun(f):
		return http.StatusBadGateway
	case wire.ProviderOverloaded(f), f.Reason == meshv1.ErrorReason_ERROR_REASON_OVERLOADED, f.Reason == meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN:
		return statusOverloaded
	}
	if s := httpstatus.Of(f); s != http.StatusNotImplemented {
		return s
	}
	return http.StatusBadRequest // SDKs send a 501 again, which cannot help
}
