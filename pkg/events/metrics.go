package events

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count what becomes of events. A nil Metrics counts nothing.
type Metrics struct{ dead, relayed, failed *prometheus.CounterVec }

// NewMetrics registers the counters.
func NewMetrics(registry prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		dead: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_events_dead_letters_total", Help: "Events that a consumer gave up; the relay to a broker is a consumer too."}, []string{"consumer"}),
		relayed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_events_relayed_total", Help: "Events that a broker took from the log."}, []string{"broker"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_events_relay_failures_total", Help: "Attempts to hand events on to a broker that failed and are made again."}, []string{"broker"}),
	}
	return m, errors.Join(registry.Register(m.dead), registry.Register(m.relayed), registry.Register(m.failed))
}

// DeadLetter counts an event that a consumer gave up.
func (m *Metrics) DeadLetter(consumer string) {
	if m != nil {
		m.dead.WithLabelValues(consumer).Inc()
	}
}

// Relayed counts events that a broker took from the log.
func (m *Metrics) Relayed(broker string, n int) {
	if m != nil {
		m.relayed.WithLabelValues(broker).Add(float64(n))
	}
}

// RelayFailed counts an attempt that is made again.
func (m *Metrics) RelayFailed(broker string) {
	if m != nil {
		m.failed.WithLabelValues(broker).Inc()
	}
}
