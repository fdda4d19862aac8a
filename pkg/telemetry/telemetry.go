// Package telemetry sets up logs and traces of a process.
package telemetry

import (
	"context"
	"fmt"
	"net"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// TraceConfig says where traces go.
type TraceConfig struct {
	// Endpoint is an OTLP/gRPC address, "127.0.0.1:4317". Empty turns tracing
	// off.
	Endpoint string `yaml:"otlp_endpoint"`
	// Insecure speaks to it without TLS.
	Insecure bool `yaml:"otlp_insecure"`
	// SampleRatio is the share of traces that are kept, 0 to 1, where the caller
	// has not decided.
	SampleRatio float64 `yaml:"sample_ratio"`
}

// Validate says what is wrong with the configuration, or nil.
func (c TraceConfig) Validate() error {
	if c.SampleRatio < 0 || c.SampleRatio > 1 {
		return fmt.Errorf("sample_ratio: must be 0 to 1")
	}
	if c.Endpoint == "" || strings.Contains(c.Endpoint, ":///") { // of a resolver of gRPC
		return nil
	}
	if _, port, err := net.SplitHostPort(c.Endpoint); err != nil || port == "" {
		return fmt.Errorf("otlp_endpoint: %q: want host:port, without a scheme", c.Endpoint)
	}
	return nil
}

// Tracing makes spans and sends them off.
type Tracing struct {
	// Tracer is nil where tracing is off.
	Tracer   trace.Tracer
	provider *sdktrace.TracerProvider
}

// NewTracing sets tracing up. Service names this process in traces.
func NewTracing(ctx context.Context, config TraceConfig, service, version string) (*Tracing, error) {
	if config.Endpoint == "" {
		return &Tracing{}, nil
	}
	options := []otlptracegrpc.Option{otlptracegrpc.WithEndpoint(config.Endpoint)}
	if config.Insecure {
		options = append(options, otlptracegrpc.WithInsecure())
	}
	exporter, err := otlptracegrpc.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(config.SampleRatio))),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", service), attribute.String("service.version", version))),
	)
	return &Tracing{Tracer: provider.Tracer("github.com/gptmesh/gptmesh"), provider: provider}, nil
}

// Provider is what Tracer was made by; nil where tracing is off.
func (t *Tracing) Provider() trace.TracerProvider {
	if t.provider == nil {
		return nil
	}
	return t.provider
}

// Close sends off what is left, until ctx is done.
func (t *Tracing) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}
