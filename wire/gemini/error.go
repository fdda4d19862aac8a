package gemini

import (
	"net/http"
	"strconv"
	"strings"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc/codes"
)

const statusClientClosed = 499 // the client gave its request up

// Error is the answer to a request that failed before its first byte: the
// HTTP status and a body of {"error":{"code":…,"message":…,"status":…}}, whose
// code is that status and whose status is the canonical code's name.
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
	dst = append(dst, `{"error":{"code":`...)
	dst = strconv.AppendInt(dst, int64(statusOf(f)), 10)
	dst = append(append(dst, `,"message":`...), quote(message)...)
	dst = append(append(dst, `,"status":`...), quote(statusName(f))...)
	return append(dst, "}}"...)
}

// statusName is the canonical code as Google spells it.
func statusName(f *fault.Fault) string {
	var out strings.Builder
	for i, c := range f.Code.String() {
		if i > 0 && 'A' <= c && c <= 'Z' && f.Code != codes.OK {
			out.WriteByte('_')
		}
		out.WriteRune(c)
	}
	if f.Code == codes.Canceled {
		return "CANCELLED"
	}
	return strings.ToUpper(out.String())
}

// statusOf is the HTTP status of a fault: by its reason where the code alone
// would mislead a client, else by its code.
func statusOf(f *fault.Fault) int {
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
