package rpc

import (
	"context"
	"log/slog"
	"time"

	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// Log writes one line per call, when it is over.
func Log(logger *slog.Logger) Interceptor {
	return Interceptor{Name: "log", Wrap: func(ctx context.Context, m *Method, next func(context.Context) error) error {
		start := time.Now()
		err := next(ctx)
		f := fault.From(err)
		code := codes.OK
		if f != nil {
			code = f.Code
		}
		level := LevelOf(code)
		if !logger.Enabled(ctx, level) {
			return err
		}
		attrs := []slog.Attr{
			slog.String("request_id", callctx.From(ctx).RequestID),
			slog.String("method", m.Name),
			slog.String("code", code.String()),
			slog.Duration("duration", time.Since(start)),
		}
		if r := recordOf(ctx); r != nil && r.principal != "" {
			attrs = append(attrs, slog.String("principal", r.principal))
		}
		if f != nil {
			attrs = append(attrs, slog.String("reason", fault.ReasonName(f.Reason)), slog.String("error", f.Error()))
		}
		logger.LogAttrs(ctx, level, "call", attrs...)
		return err
	}}
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
