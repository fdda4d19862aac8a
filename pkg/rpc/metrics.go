package rpc

import (
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
)

// CallMetrics counts calls of a process, those over a wire and local ones.
type CallMetrics struct {
	calls    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	running  *prometheus.GaugeVec

	wire, local sync.Map // of *Method to *methodMetrics: looked up once per method, not per call
}

// NewCallMetrics registers the metrics. It fails where the registry has others of
// their names.
func NewCallMetrics(registry prometheus.Registerer) (*CallMetrics, error) {
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
	for _, c := range []prometheus.Collector{m.calls, m.duration, m.running} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("rpc: metrics: %w", err)
		}
	}
	return m, nil
}

// of are a method's metrics over one transport: "wire" or "local".
func (c *CallMetrics) of(transport string, m *Method) *methodMetrics {
	known := &c.wire
	if transport == "local" {
		known = &c.local
	}
	metrics, ok := known.Load(m)
	if !ok {
		metrics, _ = known.LoadOrStore(m, c.method(transport, m))
	}
	return metrics.(*methodMetrics)
}

// methodMetrics are the metrics of one method over one transport.
type methodMetrics struct {
	running  prometheus.Gauge
	duration prometheus.Observer
	codes    [codes.Unauthenticated + 1]prometheus.Counter
}

func (c *CallMetrics) method(transport string, m *Method) *methodMetrics {
	out := &methodMetrics{running: c.running.WithLabelValues(transport, m.Name), duration: c.duration.WithLabelValues(transport, m.Name)}
	for code := range out.codes {
		out.codes[code] = c.calls.WithLabelValues(transport, m.Name, codes.Code(code).String())
	}
	return out
}
