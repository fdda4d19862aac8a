package rpc

import (
	"log/slog"
	"time"

	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// log writes the call's line, when it is over. f is nil for none.
func (c *wireCall) log(code codes.Code, took time.Duration, f *fault.Fault) {
	level := LevelOf(code)
	if !c.Logger.Enabled(c.ctx, level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 7),
		slog.String("request_id", c.id),
		slog.String("method", c.method.Name),
		slog.String("code", code.String()),
		slog.Duration("duration", took),
	)
	if c.principal != "" {
		attrs = append(attrs, slog.String("principal", c.principal))
	}
	if f != nil {
		attrs = append(attrs, slog.String("reason", fault.ReasonName(f.Reason)), slog.String("error", f.Error()))
	}
	c.Logger.LogAttrs(c.ctx, level, "call", attrs...)
}

// LevelOf is how loud a code is in the log: the caller's faults are
// information, the mesh's own are errors.
func LevelOf(code codes.Code) slog.Level {
	switch code {
	case codes.OK, codes.Canceled, codes.DeadlineExceeded, codes.InvalidArgument, codes.NotFound, codes.AlreadyExists,
		codes.FailedPrecondition, codes.OutOfRange, codes.Aborted:
		return slog.LevelInfo
	case codes.Unauthenticated, codes.PermissionDenied, codes.ResourceExhausted, codes.Unavailable, codes.Unimplemented:
		return slog.LevelWarn
	}
	return slog.LevelError
}
