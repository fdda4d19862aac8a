package anthropic_test

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire/anthropic"
)

func TestError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err    error
		status int
		kind   string
		text   string
	}{
		{fault.InvalidField("max_tokens", "must be \"small\""), 400, "invalid_request_error", `max_tokens: must be \"small\"`},
		{fault.New(codes.Unauthenticated, meshv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED, "no key"), 401, "authentication_error", "no key"},
		{fault.New(codes.PermissionDenied, meshv1.ErrorReason_ERROR_REASON_PERMISSION_DENIED, "no"), 403, "permission_error", "no"},
		{fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND, "model: x"), 404, "not_found_error", "model: x"},
		{fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE, "large"), 413, "request_too_large", "large"},
		{fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_RATE_LIMITED, "slow"), 429, "rate_limit_error", "slow"},
		{fault.New(codes.Canceled, meshv1.ErrorReason_ERROR_REASON_CANCELLED, "gone"), 499, "invalid_request_error", "gone"},
		{errors.New("SELECT secret"), 500, "api_error", "internal error"},
		{fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "broken"), 502, "api_error", "broken"},
		{fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE, "store"), 503, "api_error", "store"},
		{context.DeadlineExceeded, 504, "timeout_error", "the deadline ran out"},
		{fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_OVERLOADED, ""), 529, "overloaded_error", "OVERLOADED"},
		{fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "busy", "status", "529"), 529, "overloaded_error", "busy"},
		{nil, 500, "api_error", "internal error"},
	} {
		status, body := anthropic.Error(tt.err)
		if want := `{"type":"error","error":{"type":"` + tt.kind + `","message":"` + tt.text + `"}}`; status != tt.status || string(body) != want {
			t.Errorf("%v: %d %s", tt.err, status, body)
		}
	}
}
