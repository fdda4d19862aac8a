package rpc

import (
	"context"
	"strconv"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// MaxDepth is how deep calls of the mesh that come from its own answers may be
// nested.
const MaxDepth = 16

// hopShare is what a hop keeps back of the caller's time, so that the inner
// room fails first and can say what was slow. A twentieth, at most 20 ms.
func hopShare(left time.Duration) time.Duration { return min(left/20, 20*time.Millisecond) }

// depthOf is how deep a call is nested, by its caller, or an error where that is
// too deep.
func depthOf(ctx context.Context) (int, error) {
	depth, err := strconv.Atoi(first(ctx, depthKey))
	if err != nil || depth < 0 {
		return 0, nil
	}
	if depth > MaxDepth {
		return 0, fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_DEPTH_EXCEEDED,
			"calls are nested too deep", "limit", strconv.Itoa(MaxDepth))
	}
	return depth, nil
}
