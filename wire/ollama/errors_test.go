package ollama_test

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire/ollama"
)

func TestError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err    error
		status int
		body   string
	}{
		{fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND, "no provider has it", "model", "x:7b"), 404, `{"error":"model 'x:7b' not found"}`},
		{fault.InvalidField("options.temperature", "must be \"at most\" 2"), 400, `{"error":"options.temperature: must be \"at most\" 2"}`},
		{fault.New(codes.Unauthenticated, meshv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED, "no key"), 401, `{"error":"no key"}`},
		{fault.New(codes.PermissionDenied, meshv1.ErrorReason_ERROR_REASON_PERMISSION_DENIED, "no"), 403, `{"error":"no"}`},
		{fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_RATE_LIMITED, "slow down"), 429, `{"error":"slow down"}`},
		{fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE, "too large"), 413, `{"error":"too large"}`},
		{fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_OVERLOADED, "busy"), 503, `{"error":"busy"}`},
		{fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "broken"), 502, `{"error":"broken"}`},
		{fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_PROVIDER_REFUSED_KEY, "key"), 502, `{"error":"key"}`},
		{fault.New(codes.DeadlineExceeded, meshv1.ErrorReason_ERROR_REASON_IDLE_TIMEOUT, ""), 504, `{"error":"IDLE_TIMEOUT"}`},
		{context.Canceled, 499, `{"error":"the request was cancelled"}`},
		{errors.New("SELECT secret"), 500, `{"error":"internal error"}`},
		{fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "busy", "status", "503"), 503, `{"error":"busy"}`},
		{nil, 500, `{"error":"internal error"}`},
	} {
		status, body := ollama.Error(tt.err)
		if status != tt.status || string(body) != tt.body {
			t.Errorf("%v: %d %s", tt.err, status, body)
		}
	}
}
