package wire_test

import (
	"testing"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc/codes"
)

func TestMayHaveBegun(t *testing.T) {
	t.Parallel()
	const (
		unreachable = meshv1.ErrorReason_ERROR_REASON_PROVIDER_UNREACHABLE
		interrupted = meshv1.ErrorReason_ERROR_REASON_INTERRUPTED
		stopping    = meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN
		store       = meshv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE
	)
	for name, c := range map[string]struct {
		f    *fault.Fault
		want bool
	}{
		"not reached":                {fault.New(codes.Unavailable, unreachable, "m"), false},
		"broke after sending":        {fault.New(codes.Unavailable, unreachable, "m", "outcome", "unknown"), true},
		"stopped before sending":     {fault.New(codes.Unavailable, stopping, "m"), false},
		"stopped after sending":      {fault.New(codes.Unavailable, stopping, "m", "outcome", "unknown"), true},
		"a part, not passed on":      {fault.New(codes.Unavailable, stopping, "m", "outcome", "partial"), true},
		"the process died":           {fault.New(codes.Unavailable, interrupted, "m"), true},
		"it died before it began":    {fault.New(codes.Unavailable, interrupted, "m", "outcome", "not_begun"), false},
		"no row before the call":     {fault.New(codes.Unavailable, store, "m"), false},
		"no row after the call":      {fault.AfterCall(fault.New(codes.Unavailable, store, "m")), true},
		"cut":                        {fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED, "m"), true},
		"the provider declined":      {fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_ERROR, "m", "status", "503"), false},
		"late, which is said by 504": {fault.New(codes.DeadlineExceeded, meshv1.ErrorReason_ERROR_REASON_FIRST_TOKEN_TIMEOUT, "m", "outcome", "unknown"), false},
	} {
		if got := wire.MayHaveBegun(c.f); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
