package classifier

import (
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the room's own. Those of a tier are looked up once, not per call.
type metrics struct {
	rejected prometheus.Counter
	decided  map[classifierv1.Tier]prometheus.Counter
	duration map[classifierv1.Tier]prometheus.Observer
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	decided := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gptmesh_classifier_classifications_total", Help: "Texts labelled, by the tier that decided.",
	}, []string{"tier"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "gptmesh_classifier_duration_seconds", Help: "Time to label one text, by the tier that decided.",
		Buckets: []float64{1e-6, 5e-6, 25e-6, 100e-6, 500e-6, .0025, .01, .02, .05, .1, .5, 1, 5},
	}, []string{"tier"})
	m := &metrics{
		rejected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gptmesh_classifier_rejected_total", Help: "Texts that broke a rule.",
		}),
		decided:  map[classifierv1.Tier]prometheus.Counter{},
		duration: map[classifierv1.Tier]prometheus.Observer{},
	}
	for tier, name := range map[classifierv1.Tier]string{classifierv1.Tier_TIER_HEURISTIC: "heuristic"} {
		m.decided[tier], m.duration[tier] = decided.WithLabelValues(name), duration.WithLabelValues(name)
	}
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{decided, duration, m.rejected} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) observe(tier classifierv1.Tier, took time.Duration) {
	m.decided[tier].Inc()
	m.duration[tier].Observe(took.Seconds())
}
