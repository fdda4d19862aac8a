package gpt

import (
	"context"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/rpc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// attemptSpan is the span of one attempt, named and filled as OpenTelemetry's
// conventions for generative AI say. Its zero value does nothing.
type attemptSpan struct{ span trace.Span }

func (s *Service) startSpan(ctx context.Context, row *gptv1.Attempt, operation string) (context.Context, attemptSpan) {
	if s.deps.Tracer == nil {
		return ctx, attemptSpan{}
	}
	operation = or(operation, "chat")
	ctx, span := s.deps.Tracer.Start(ctx, operation+" "+row.GetModel(), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("gen_ai.operation.name", operation), attribute.String("gen_ai.provider.name", row.GetProvider()),
		attribute.String("gen_ai.request.model", row.GetModel()), attribute.String("gptmesh.attempt_id", row.GetId()),
		attribute.Int("gptmesh.attempt_number", int(row.GetNumber())),
	))
	if span.IsRecording() {
		span.SetAttributes(rpc.TimeLeft(ctx)...)
	}
	return ctx, attemptSpan{span}
}

// maxDropped bounds how many members an attempt's span names.
const maxDropped = 64

// dropped names what the provider's dialect could not carry.
func (a attemptSpan) dropped(fields []string) {
	if a.span == nil || len(fields) == 0 {
		return
	}
	a.span.SetAttributes(attribute.StringSlice("gptmesh.dropped_fields", fields[:min(len(fields), maxDropped)]))
}

func (a attemptSpan) end(row *gptv1.Attempt, err error) {
	if a.span == nil {
		return
	}
	a.span.SetAttributes(
		attribute.Int64("gen_ai.usage.input_tokens", row.GetUsage().GetInputTokens()),
		attribute.Int64("gen_ai.usage.output_tokens", row.GetUsage().GetOutputTokens()),
		attribute.String("gptmesh.outcome", outcomeLabel(row.GetOutcome())),
	)
	if err != nil {
		a.span.SetStatus(codes.Error, fault.ReasonName(fault.From(err).Reason))
	}
	a.span.End()
}
