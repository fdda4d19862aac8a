package rpc

import (
	"context"
	"log/slog"
)

// Recovery turns a panic into an Internal fault and writes its stack to the
// log, and any error that is neither a status nor a context's into one too, so
// that no text of it reaches a client.
func Recovery(logger *slog.Logger) Interceptor {
	return Interceptor{Name: "recovery", Wrap: func(ctx context.Context, m *Method, next func(context.Context) error) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = recovered(ctx, logger, m, p)
			}
		}()
		return told(next(ctx))
	}}
}
