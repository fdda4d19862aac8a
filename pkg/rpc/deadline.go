package rpc

import (
	"context"
	"strconv"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// MaxDepth is how deep calls of the mesh that come from its own answers may be
// nested.
const MaxDepth = 16

// hopShare is what a hop keeps back of the caller's time, so that the inner
// room fails first and can say what was slow. A twentieth, at most 20 ms.
func hopShare(left time.Duration) time.Duration { return min(left/20, 20*time.Millisecond) }

// Deadline shortens the caller's deadline by the hop's share and refuses calls
// that are nested too deep.
func Deadline() Interceptor {
	return Interceptor{Name: "deadline", Wrap: func(ctx context.Context, m *Method, next func(context.Context) error) error {
		call := callctx.From(ctx)
		if depth, err := strconv.Atoi(first(ctx, depthKey)); err == nil && depth > 0 {
			if depth > MaxDepth {
				return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_DEPTH_EXCEEDED,
					"calls are nested too deep", "limit", strconv.Itoa(MaxDepth))
			}
			call.Depth = depth
			ctx = callctx.With(ctx, call)
		}
		deadline, ok := ctx.Deadline()
		if !ok {
			return next(ctx)
		}
		left := time.Until(deadline)
		if left <= 0 {
			return fault.New(codes.DeadlineExceeded, meshv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED,
				"the deadline had run out before the "+m.Room+" room began", "room", m.Room)
		}
		ctx, cancel := context.WithDeadline(ctx, deadline.Add(-hopShare(left)))
		defer cancel()
		err := next(ctx)
		if f := fault.From(err); f != nil && f.Code == codes.DeadlineExceeded && f.Metadata["room"] == "" &&
			f.Reason == meshv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED {
			return fault.New(codes.DeadlineExceeded, f.Reason, "the deadline ran out in the "+m.Room+" room", "room", m.Room).WithCause(err)
		}
		return err
	}}
}
