package edge

import (
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

var traceContext propagation.TraceContext

// trace takes up the client's trace and begins the request's span. What it
// returns ends the span.
func (e *Edge) trace(x *Exchange) func() {
	x.ctx = traceContext.Extract(x.ctx, propagation.HeaderCarrier(x.r.Header))
	if e.tracer == nil {
		return func() {}
	}
	ctx, span := e.tracer.Start(x.ctx, x.r.Method+" "+x.routeName(), trace.WithSpanKind(trace.SpanKindServer))
	x.ctx = ctx
	return func() {
		if span.IsRecording() {
			attributes := [...]attribute.KeyValue{
				attribute.String("http.request.method", x.r.Method),
				attribute.String("http.route", x.routeName()),
				attribute.Int("http.response.status_code", x.status),
				attribute.String("gptmesh.request_id", x.call.RequestID),
				attribute.String("gen_ai.request.model", x.model),
			}
			span.SetAttributes(attributes[:]...)
			if x.failure != nil && x.status >= http.StatusInternalServerError {
				span.SetStatus(otelcodes.Error, "")
			}
		}
		span.End()
	}
}

// isGRPC says that a request is a call of native gRPC.
func isGRPC(r *http.Request) bool {
	return r.ProtoMajor == 2 && strings.HasPrefix(first(r.Header, "Content-Type"), "application/grpc")
}
