package openai

import (
	"net/http"
	"strings"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/httpstatus"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"google.golang.org/grpc/codes"
)

// Error is how OpenAI's API tells of err: the HTTP status and the body
// {"error":{"message","type","param","code"}}. Codes that clients act on are
// OpenAI's own (context_length_exceeded, model_not_found, invalid_api_key,
// rate_limit_exceeded, insufficient_quota, content_filter); all others are the
// mesh's reason in lower case. The status of a retryable error is one that
// SDKs retry (408, 409, 429, 5xx), any other's is not. The caller sends
// Retry-After from the fault's RetryAfter.
func Error(err error) (status int, body []byte) {
	f := fault.From(err)
	shape := shapeOf(f)
	return shape.status, appendError(nil, f, shape)
}

// errorShape is how one kind of error looks from outside.
type errorShape struct {
	status            int
	kind, param, code string
}

const (
	invalidRequest = "invalid_request_error"
	serverError    = "server_error"
)

// errorShapes are the reasons whose status or code does not follow from the
// canonical code.
var errorShapes = map[meshv1.ErrorReason]errorShape{
	meshv1.ErrorReason_ERROR_REASON_INVALID_FIELD:           {http.StatusBadRequest, invalidRequest, "", "invalid_value"},
	meshv1.ErrorReason_ERROR_REASON_MALFORMED_BODY:          {http.StatusBadRequest, invalidRequest, "", "invalid_type"},
	meshv1.ErrorReason_ERROR_REASON_DUPLICATE_FIELD:         {http.StatusBadRequest, invalidRequest, "", "duplicate_parameter"},
	meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED:             {http.StatusBadRequest, invalidRequest, "", "unsupported_parameter"},
	meshv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED:         {http.StatusUnauthorized, invalidRequest, "", "invalid_api_key"},
	meshv1.ErrorReason_ERROR_REASON_PERMISSION_DENIED:       {http.StatusForbidden, invalidRequest, "", "insufficient_permissions"},
	meshv1.ErrorReason_ERROR_REASON_RATE_LIMITED:            {http.StatusTooManyRequests, "requests", "", "rate_limit_exceeded"},
	meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED:   {http.StatusTooManyRequests, "requests", "", "rate_limit_exceeded"},
	meshv1.ErrorReason_ERROR_REASON_OVERLOADED:              {http.StatusServiceUnavailable, serverError, "", "server_overloaded"},
	meshv1.ErrorReason_ERROR_REASON_IDEMPOTENCY_CONFLICT:    {http.StatusConflict, invalidRequest, "", "idempotency_conflict"},
	meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND:         {http.StatusNotFound, invalidRequest, "model", "model_not_found"},
	meshv1.ErrorReason_ERROR_REASON_NO_DEFAULT_MODEL:        {http.StatusBadRequest, invalidRequest, "model", "missing_required_parameter"},
	meshv1.ErrorReason_ERROR_REASON_CONTEXT_LENGTH_EXCEEDED: {http.StatusBadRequest, invalidRequest, "messages", "context_length_exceeded"},
	meshv1.ErrorReason_ERROR_REASON_CONTENT_FILTERED:        {http.StatusBadRequest, invalidRequest, "", "content_filter"},
	meshv1.ErrorReason_ERROR_REASON_BLOCKED:                 {http.StatusBadRequest, invalidRequest, "", "content_policy_violation"},
	meshv1.ErrorReason_ERROR_REASON_GUARD_REFUSED:           {http.StatusBadRequest, invalidRequest, "", "content_policy_violation"},
	meshv1.ErrorReason_ERROR_REASON_CANCELLED:               {httpstatus.ClientClosed, invalidRequest, "", "cancelled"},
	// The key and the address are the mesh's, not the client's: neither a 401
	// nor a retry would help.
	meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY:    {http.StatusFailedDependency, serverError, "", "provider_refused_key"},
	meshv1.ErrorReason_ERROR_REASON_PROVIDER_NOT_CONFIGURED: {http.StatusFailedDependency, serverError, "", "provider_not_configured"},
	meshv1.ErrorReason_ERROR_REASON_INVALID_JSON_ANSWER:     {http.StatusBadGateway, serverError, "", "invalid_json_answer"},
	meshv1.ErrorReason_ERROR_REASON_EMPTY_ANSWER:            {http.StatusBadGateway, serverError, "", "empty_answer"},
	meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR:          {http.StatusBadGateway, serverError, "", "provider_error"},
	meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL:       {http.StatusBadGateway, serverError, "", "provider_protocol"},
	meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED:        {http.StatusBadGateway, serverError, "", "stream_truncated"},
}

func shapeOf(f *fault.Fault) errorShape {
	shape, known := errorShapes[f.Reason]
	if !known {
		shape = shapeOfCode(f)
	}
	switch {
	case f.Reason == meshv1.ErrorReason_ERROR_REASON_PROVIDER_RATE_LIMITED && f.Metadata["code"] == "insufficient_quota":
		shape.kind, shape.code = "insufficient_quota", "insufficient_quota"
	case wire.MayHaveBegun(f):
		shape.status = http.StatusBadGateway
	case wire.ProviderOverloaded(f):
		shape.status = http.StatusServiceUnavailable
	case f.Reason == meshv1.ErrorReason_ERROR_REASON_TOO_LARGE && f.Code == codes.InvalidArgument:
		shape.status, shape.code = http.StatusRequestEntityTooLarge, "request_too_large"
	case f.Reason == meshv1.ErrorReason_ERROR_REASON_TOO_LARGE:
		shape = errorShape{http.StatusInternalServerError, serverError, "", "answer_too_large"}
	}
	if field := f.Field(); field != "" && shape.status < http.StatusInternalServerError {
		shape.param = field
	}
	return shape
}

func shapeOfCode(f *fault.Fault) errorShape {
	shape := errorShape{status: http.StatusInternalServerError, kind: serverError, code: strings.ToLower(fault.ReasonName(f.Reason))}
	switch f.Code {
	case codes.InvalidArgument, codes.OutOfRange, codes.FailedPrecondition, codes.Unimplemented:
		shape.status, shape.kind = http.StatusBadRequest, invalidRequest
	case codes.Unauthenticated:
		shape.status, shape.kind = http.StatusUnauthorized, invalidRequest
	case codes.PermissionDenied:
		shape.status, shape.kind = http.StatusForbidden, invalidRequest
	case codes.NotFound:
		shape.status, shape.kind = http.StatusNotFound, invalidRequest
	case codes.AlreadyExists, codes.Aborted:
		shape.status, shape.kind = http.StatusConflict, invalidRequest
	case codes.ResourceExhausted:
		shape.status, shape.kind = http.StatusTooManyRequests, "requests"
	case codes.Canceled:
		shape.status, shape.kind = httpstatus.ClientClosed, invalidRequest
	case codes.DeadlineExceeded:
		shape.status = http.StatusGatewayTimeout
	case codes.Unavailable:
		shape.status = http.StatusServiceUnavailable
	}
	return shape
}

func appendError(dst []byte, f *fault.Fault, shape errorShape) []byte {
	w := writer{jsonbody.Writer{B: append(dst, `{"error":{`...)}}
	w.StrField("message", f.Message)
	w.StrField("type", shape.kind)
	w.StrOrNull("param", shape.param)
	w.StrOrNull("code", shape.code)
	w.Close('}')
	w.Close('}')
	return w.B
}
