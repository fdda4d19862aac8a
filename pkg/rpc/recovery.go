package rpc

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/status"
)

// Recovery turns a panic into an Internal fault and writes its stack to the
// log, and any error that is neither a status nor a context's into one too, so
// that no text of it reaches a client.
func Recovery(logger *slog.Logger) Interceptor {
	return Interceptor{Name: "recovery", Wrap: func(ctx context.Context, m *Method, next func(context.Context) error) (err error) {
		defer func() {
			if p := recover(); p != nil {
				logger.LogAttrs(ctx, slog.LevelError, "panic", slog.String("request_id", callctx.From(ctx).RequestID),
					slog.String("method", m.Name), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
				err = fault.Internal(fmt.Errorf("panic: %v", p))
			}
		}()
		err = next(ctx)
		if err == nil {
			return nil
		}
		if s, ok := status.FromError(err); ok && len(s.Details()) > 0 {
			return err
		}
		return fault.From(err)
	}}
}
