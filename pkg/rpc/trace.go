package rpc

import (
	"context"
	"time"

	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"
)

// carrier lets a propagator read and write gRPC metadata.
type carrier metadata.MD

func (c carrier) Get(key string) string {
	if values := metadata.MD(c).Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

func (c carrier) Set(key, value string) { metadata.MD(c).Set(key, value) }

func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	return keys
}

// Trace makes one span per call, under the span that the caller's metadata
// names. transport is "wire" or "local"; a local call's parent is in its
// context already. A nil tracer does nothing.
func Trace(tracer trace.Tracer, transport string) Interceptor {
	propagator := propagation.TraceContext{}
	return Interceptor{Name: "trace", Wrap: func(ctx context.Context, m *Method, next func(context.Context) error) error {
		if tracer == nil {
			return next(ctx)
		}
		if transport == "wire" {
			if md, ok := metadata.FromIncomingContext(ctx); ok {
				ctx = propagator.Extract(ctx, carrier(md))
			}
		}
		ctx, span := tracer.Start(ctx, m.Full[1:], trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		if span.IsRecording() {
			span.SetAttributes(attribute.String("rpc.system", "grpc"), attribute.String("gptmesh.room", m.Room),
				attribute.String("gptmesh.transport", transport), attribute.String("gptmesh.request_id", callctx.From(ctx).RequestID))
			span.SetAttributes(TimeLeft(ctx)...)
		}
		err := next(ctx)
		if f := fault.From(err); f != nil && span.IsRecording() {
			span.SetStatus(codes.Error, fault.ReasonName(f.Reason))
			span.SetAttributes(attribute.String("rpc.grpc.status_code", f.Code.String()))
		}
		return err
	}}
}

// TimeLeft tells a span how long its caller will wait; nothing where it sets no
// limit.
func TimeLeft(ctx context.Context) []attribute.KeyValue {
	if deadline, ok := ctx.Deadline(); ok {
		return []attribute.KeyValue{attribute.Float64("gptmesh.time_left_seconds", time.Until(deadline).Seconds())}
	}
	return nil
}

// inject writes the span of ctx into outgoing metadata.
func inject(ctx context.Context, md metadata.MD) {
	if trace.SpanContextFromContext(ctx).IsValid() {
		propagation.TraceContext{}.Inject(ctx, carrier(md))
	}
}
