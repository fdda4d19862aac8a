package response

import (
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	answers    *prometheus.CounterVec
	firstChunk prometheus.Histogram
	duration   prometheus.Histogram
	finish     prometheus.Histogram
	cache      *prometheus.CounterVec
	appends    *prometheus.CounterVec
	watchers   prometheus.Gauge
	journal    *prometheus.CounterVec
	expired    prometheus.Counter
	guard      *prometheus.CounterVec

	completed prometheus.Counter // of answers
}

func newMetrics(registry prometheus.Registerer, running func() float64) (*metrics, error) {
	seconds := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600}
	m := &metrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_response_answers_total", Help: "Answers by final state, and by reason where they are not whole."}, []string{"state", "reason"}),
		firstChunk: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gptmesh_response_first_chunk_seconds", Help: "Time from the call to the first chunk passed on.", Buckets: seconds}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gptmesh_response_answer_seconds", Help: "Time from the call to the end of the answer.", Buckets: seconds}),
		finish: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gptmesh_response_finish_seconds", Help: "Time from the model's end to the terminal chunk: commits and session.", Buckets: seconds}),
		cache: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_response_cache_total", Help: "Look-ups of kept answers by result."}, []string{"result"}),
		appends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_response_session_appends_total", Help: "Appends to sessions by result: done, refused, or retry."}, []string{"result"}),
		watchers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gptmesh_response_watchers", Help: "Calls of WatchResponse under way."}),
		journal: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_response_journal_pieces_total", Help: "Pieces of running answers by result: stored, or failed, to be tried again."}, []string{"result"}),
		guard: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_response_guard_total", Help: "Answers that the guard saw or should have seen: passed, flagged, redacted, refused, skipped or unanswered."}, []string{"outcome"}),
		expired: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gptmesh_response_expired_total", Help: "Answers removed after their retention."}),
	}
	m.completed = m.answers.WithLabelValues(responsev1.Response_STATE_COMPLETED.String(), "")
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.answers, m.firstChunk, m.duration, m.finish, m.cache, m.appends, m.watchers, m.journal, m.expired, m.guard,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gptmesh_response_running", Help: "Answers that are being made."}, running),
	} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) ended(state responsev1.Response_State, failure *conversationv1.Failure, took time.Duration) {
	m.duration.Observe(took.Seconds())
	if state == responsev1.Response_STATE_COMPLETED && failure == nil {
		m.completed.Inc()
		return
	}
	reason := ""
	if failure != nil {
		reason = fault.ReasonName(failure.GetReason())
	}
	m.answers.WithLabelValues(state.String(), reason).Inc()
}
