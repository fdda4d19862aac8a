package request

import (
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	requests  *prometheus.CounterVec
	refused   *prometheus.CounterVec
	decisions *prometheus.CounterVec
	routed    *prometheus.CounterVec
	routing   prometheus.Histogram
	keys      *prometheus.CounterVec
	guard     *prometheus.CounterVec
	admission prometheus.Histogram
	duration  prometheus.Histogram

	// Those of most turns.
	completed, asked prometheus.Counter
}

func newMetrics(registry prometheus.Registerer, running func() float64) (*metrics, error) {
	seconds := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_request_requests_total", Help: "Accepted requests by final state, and by reason where there is no whole answer."}, []string{"state", "reason"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_request_refused_total", Help: "Turns that were refused, by reason."}, []string{"reason"}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_request_decisions_total", Help: "Choices of a model by policy and the classifier's tier."}, []string{"policy", "tier"}),
		routed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_request_routed_total", Help: "Choices by a policy: how (chosen, sticky, default), and the model."}, []string{"policy", "how", "model"}),
		routing: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gptmesh_request_routing_seconds", Help: "Time that a policy took to choose, the classifier included.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .02, .05, .1, .25, 1}}),
		keys: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_request_idempotency_total", Help: "Requests with an idempotency key: first, again, attached, failure or conflict."}, []string{"result"}),
		guard: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_request_guard_total", Help: "Turns that the guard saw or should have seen: passed, flagged, redacted, refused, skipped or unanswered."}, []string{"outcome"}),
		admission: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gptmesh_request_admission_seconds", Help: "Time from the call to the call of the response room.", Buckets: seconds}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gptmesh_request_seconds", Help: "Time from acceptance to the final state.", Buckets: seconds}),
	}
	m.completed = m.requests.WithLabelValues(completed.String(), "")
	m.asked = m.decisions.WithLabelValues("asked", "")
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.refused, m.decisions, m.routed, m.routing, m.keys, m.admission, m.duration,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gptmesh_request_running", Help: "Requests that are handled now."}, running),
	} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) ended(r *requestv1.Request, took time.Duration) {
	m.duration.Observe(took.Seconds())
	if r.GetState() == completed && r.GetFailure() == nil {
		m.completed.Inc()
		return
	}
	reason := ""
	if r.GetFailure() != nil {
		reason = fault.ReasonName(r.GetFailure().GetReason())
	}
	m.requests.WithLabelValues(r.GetState().String(), reason).Inc()
}

func (m *metrics) decided(d *requestv1.Decision) {
	if d.GetPolicy() == "asked" && d.GetTier() == "" {
		m.asked.Inc()
		return
	}
	m.decisions.WithLabelValues(d.GetPolicy(), d.GetTier()).Inc()
}

// chose counts the choice of a policy.
func (m *metrics) chose(d *requestv1.Decision) {
	how := "chosen"
	switch {
	case d.GetSticky():
		how = "sticky"
	case d.GetDefaulted():
		how = "default"
	}
	m.routed.WithLabelValues(d.GetPolicy(), how, d.GetModel()).Inc()
	m.routing.Observe(float64(d.GetElapsedMicros()) / 1e6)
}
