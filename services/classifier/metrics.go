package classifier

import (
	"strings"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the room's own. Those of a tier are looked up once, not per call.
type metrics struct {
	rejected      prometheus.Counter
	lowConfidence prometheus.Counter
	decided       [classifierv1.Tier_TIER_LLM + 1]prometheus.Counter
	duration      [classifierv1.Tier_TIER_LLM + 1]prometheus.Observer
	fallbacks     *prometheus.CounterVec
	screened      prometheus.Counter
	flagged       *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer, breaker func() classifierv1.BreakerState) (*metrics, error) {
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
		lowConfidence: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gptmesh_classifier_low_confidence_total", Help: "Texts labelled of which no tier was sure.",
		}),
		fallbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_classifier_fallbacks_total", Help: "Texts that the language model should have labelled and did not, by why.",
		}, []string{"reason"}),
		screened: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gptmesh_classifier_screened_total", Help: "Texts that the guard heads looked at.",
		}),
		flagged: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_classifier_flagged_total", Help: "Texts that a guard head flagged, by its risk.",
		}, []string{"risk"}),
	}
	for tier := classifierv1.Tier_TIER_HEURISTIC; tier <= classifierv1.Tier_TIER_LLM; tier++ {
		name := word(tier.String(), "TIER_")
		m.decided[tier], m.duration[tier] = decided.WithLabelValues(name), duration.WithLabelValues(name)
	}
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "gptmesh_classifier_breaker_open", Help: "1 while the breaker before the language model lets no ordinary call through.",
	}, func() float64 {
		switch breaker() {
		case classifierv1.BreakerState_BREAKER_STATE_OPEN, classifierv1.BreakerState_BREAKER_STATE_HALF_OPEN:
			return 1
		}
		return 0
	})
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{decided, duration, m.rejected, m.lowConfidence, m.fallbacks, m.screened, m.flagged, open} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// word is an enum's value as metrics and people read it.
func word(name, prefix string) string { return strings.ToLower(strings.TrimPrefix(name, prefix)) }

func (m *metrics) observe(r *classifierv1.Classification, sure bool, took time.Duration) {
	m.decided[r.GetTier()].Inc()
	m.duration[r.GetTier()].Observe(took.Seconds())
	if !sure {
		m.lowConfidence.Inc()
	}
	if f := r.GetFallback(); f != classifierv1.Fallback_FALLBACK_UNSPECIFIED {
		m.fallbacks.WithLabelValues(word(f.String(), "FALLBACK_")).Inc()
	}
}
