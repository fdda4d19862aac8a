package bedrock

import (
	"net/http"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"google.golang.org/grpc/codes"
)

// Error is the answer to a request that failed before its first byte: the HTTP
// status, the name of the exception for the header x-amzn-ErrorType, and a body
// of {"message":…}.
func Error(err error) (status int, exception string, body []byte) {
	f := fault.From(err)
	if f == nil {
		f = fault.Internal(nil)
	}
	status, exception = classOf(f)
	return status, exception, appendMessage(nil, f)
}

func appendMessage(dst []byte, f *fault.Fault) []byte {
	message := f.Message
	if message == "" {
		message = fault.ReasonName(f.Reason)
	}
	return append(jsonscan.AppendString(append(dst, `{"message":`...), message), '}')
}

// exceptionOf is the event that tells of a failure in mid-answer.
func exceptionOf(f *fault.Fault) string {
	switch f.Code {
	case codes.InvalidArgument, codes.OutOfRange, codes.FailedPrecondition, codes.NotFound:
		return "validationException"
	case codes.ResourceExhausted:
		return "throttlingException"
	}
	switch f.Reason {
	case meshv1.ErrorReason_ERROR_REASON_OVERLOADED, meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN:
		return "serviceUnavailableException"
	case meshv1.ErrorReason_ERROR_REASON_INTERNAL:
		return "internalServerException"
	}
	return "modelStreamErrorException"
}

// classOf is the API's class of a fault and its HTTP status. Source:
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors,
// 2026-11.
func classOf(f *fault.Fault) (status int, exception string) {
	switch f.Reason {
	case meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY, meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE,
		meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL,
		meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED, meshv1.ErrorReason_ERROR_REASON_EMPTY_ANSWER:
		return http.StatusFailedDependency, "ModelErrorException"
	}
	switch f.Code {
	case codes.InvalidArgument, codes.OutOfRange, codes.FailedPrecondition, codes.AlreadyExists, codes.Aborted:
		return http.StatusBadRequest, "ValidationException"
	case codes.Unauthenticated, codes.PermissionDenied:
		return http.StatusForbidden, "AccessDeniedException"
	case codes.NotFound:
		return http.StatusNotFound, "ResourceNotFoundException"
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests, "ThrottlingException"
	case codes.Unavailable:
		return http.StatusServiceUnavailable, "ServiceUnavailableException"
	case codes.DeadlineExceeded, codes.Canceled:
		return http.StatusRequestTimeout, "ModelTimeoutException"
	}
	return http.StatusInternalServerError, "InternalServerException"
}
