package rpc

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Local is what surrounds a call within a process: its metrics, and recovery
// from panics. It is one interceptor and allocates nothing: every turn passes it
// several times.
func (c *CallMetrics) Local(logger *slog.Logger) Interceptor {
	begin := func(m *Method) *methodMetrics {
		metrics := c.of("local", m)
		metrics.running.Inc()
		return metrics
	}
	end := func(ctx context.Context, m *Method, metrics *methodMetrics, start time.Time, p any, err error) error {
		if p != nil {
			err = recovered(ctx, logger, m, p)
		}
		err = told(err)
		metrics.running.Dec()
		code := codes.OK
		if err != nil {
			code = fault.From(err).Code
		}
		metrics.codes[min(code, codes.Unauthenticated)].Inc()
		metrics.duration.Observe(time.Since(start).Seconds())
		return err
	}
	return Interceptor{
		Name: "local",
		Wrap: func(ctx context.Context, m *Method, next func(context.Context) error) (err error) {
			metrics, start := begin(m), time.Now()
			defer func() { err = end(ctx, m, metrics, start, recover(), err) }()
			return next(ctx)
		},
		around: func(m *Method, server any, stream grpc.ServerStream, handler grpc.StreamHandler) (err error) {
			metrics, start := begin(m), time.Now()
			defer func() { err = end(stream.Context(), m, metrics, start, recover(), err) }()
			return handler(server, stream)
		},
	}
}

// recovered makes an Internal fault of a panic and writes its stack to the log.
func recovered(ctx context.Context, logger *slog.Logger, m *Method, p any) error {
	logger.LogAttrs(ctx, slog.LevelError, "panic", slog.String("request_id", callctx.From(ctx).RequestID),
		slog.String("method", m.Name), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	return fault.Internal(fmt.Errorf("panic: %v", p))
}

// told is err as a caller may see it: a status with details, or a fault.
func told(err error) error {
	if err == nil {
		return nil
	}
	if s, ok := status.FromError(err); ok && len(s.Details()) > 0 {
		return err
	}
	return fault.From(err)
}
