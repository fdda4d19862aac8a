package rpc

import (
	"context"
	"time"

	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
)

// CallMetrics counts calls of a process, those over a wire and local ones.
type CallMetrics struct {
	calls    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	running  *prometheus.GaugeVec
}

// NewCallMetrics registers the metrics.
func NewCallMetrics(registry prometheus.Registerer) *CallMetrics {
	m := &CallMetrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_calls_total", Help: "Calls of rooms, by transport, method and code.",
		}, []string{"transport", "method", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gptmesh_call_duration_seconds", Help: "Duration of calls of rooms; of streams, to their end.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"transport", "method"}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "gptmesh_calls_running", Help: "Calls of rooms under way.",
		}, []string{"transport", "method"}),
	}
	registry.MustRegister(m.calls, m.duration, m.running)
	return m
}

// Interceptor counts the calls of one transport: "wire" or "local".
func (c *CallMetrics) Interceptor(transport string) Interceptor {
	return Interceptor{Name: "metrics", Wrap: func(ctx context.Context, m *Method, next func(context.Context) error) error {
		running := c.running.WithLabelValues(transport, m.Name)
		running.Inc()
		defer running.Dec()
		start := time.Now()
		err := next(ctx)
		code := codes.OK
		if err != nil {
			code = fault.From(err).Code
		}
		c.calls.WithLabelValues(transport, m.Name, code.String()).Inc()
		c.duration.WithLabelValues(transport, m.Name).Observe(time.Since(start).Seconds())
		return err
	}}
}
