// Package collector takes traces as an OpenTelemetry collector does, over
// OTLP/gRPC, and keeps them for a test.
package collector

import (
	"context"
	"encoding/hex"
	"net"
	"sync"
	"testing"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// Collector keeps what it is sent. It is safe for concurrent use.
type Collector struct {
	collectorv1.UnimplementedTraceServiceServer
	// Address is where it listens, "127.0.0.1:1234", without TLS.
	Address string

	mu    sync.Mutex
	spans []Span
}

// Span is one span.
type Span struct {
	// Service is the name of the process.
	Service string
	// Name is the span's.
	Name string
	// Trace, ID and Parent are in hexadecimal; Parent is empty for a root.
	Trace, ID, Parent string
	// Attributes are those with a text.
	Attributes map[string]string
	// Numbers are those with a floating-point number.
	Numbers map[string]float64
}

// Start starts a collector that ends with the test.
func Start(t testing.TB) *Collector {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &Collector{Address: listener.Addr().String()}
	server := grpc.NewServer()
	collectorv1.RegisterTraceServiceServer(server, c)
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Stop(); <-served })
	return c
}

// Export implements the collector's service.
func (c *Collector) Export(_ context.Context, r *collectorv1.ExportTraceServiceRequest) (*collectorv1.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range r.GetResourceSpans() {
		service := ""
		for _, a := range resource.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				service = a.GetValue().GetStringValue()
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				c.spans = append(c.spans, read(service, span))
			}
		}
	}
	return &collectorv1.ExportTraceServiceResponse{}, nil
}

func read(service string, span *tracev1.Span) Span {
	s := Span{
		Service: service, Name: span.GetName(), Trace: hex.EncodeToString(span.GetTraceId()),
		ID: hex.EncodeToString(span.GetSpanId()), Parent: hex.EncodeToString(span.GetParentSpanId()), Attributes: map[string]string{}, Numbers: map[string]float64{},
	}
	for _, a := range span.GetAttributes() {
		s.Attributes[a.GetKey()] = a.GetValue().GetStringValue()
		if number, ok := a.GetValue().GetValue().(*commonv1.AnyValue_DoubleValue); ok {
			s.Numbers[a.GetKey()] = number.DoubleValue
		}
	}
	return s
}

// Spans returns the spans of one trace so far; all for "".
func (c *Collector) Spans(trace string) []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Span
	for _, s := range c.spans {
		if trace == "" || s.Trace == trace {
			out = append(out, s)
		}
	}
	return out
}
