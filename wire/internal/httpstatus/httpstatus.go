// Package httpstatus has the HTTP statuses of faults that the wires have in common.
package httpstatus

import (
	"net/http"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc/codes"
)

// ClientClosed is the status of a request that its client gave up.
const ClientClosed = 499

// Of is the HTTP status of a fault: by its reason where the code alone would mislead a
// client, else by its code.
func Of(f *fault.Fault) int {
	if wire.MayHaveBegun(f) {
		return http.StatusBadGateway
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
	return OfCode(f.Code)
}

// OfCode is the HTTP status of a code.
func OfCode(code codes.Code) int {
	switch code {
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
		return ClientClosed
	}
	return http.StatusInternalServerError
}
