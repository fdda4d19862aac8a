package gpt

import (
	"sync"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/breaker"
	"github.com/gptmesh/gptmesh/services/gpt/internal/registry"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the room's numbers. Models that no list has are counted as
// "other": their names come from clients.
type metrics struct {
	registerer prometheus.Registerer
	collectors []prometheus.Collector

	attempts   *prometheus.CounterVec
	firstToken *prometheus.HistogramVec
	total      *prometheus.HistogramVec
	tokens     *prometheus.CounterVec
	cost       *prometheus.CounterVec
	retries    *prometheus.CounterVec
	unsettled  prometheus.Counter

	mu     sync.RWMutex
	models map[modelName]*modelMetrics
}

func newMetrics(registerer prometheus.Registerer, providers *registry.Registry) (*metrics, error) {
	const space, room = "gptmesh", "gpt"
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: space, Subsystem: room, Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: space, Subsystem: room, Name: name, Help: help, Buckets: buckets,
		}, []string{"provider", "model"})
	}
	m := &metrics{
		registerer: registerer, models: map[modelName]*modelMetrics{},
		attempts: counter("attempts_total", "Calls of providers by how they ended.", "provider", "model", "outcome"),
		firstToken: histogram("first_token_seconds", "Time from a call to its first token.",
			[]float64{.02, .05, .1, .2, .35, .5, .75, 1, 1.5, 2.5, 5, 10, 20, 40, 80}),
		total: histogram("attempt_seconds", "Time from a call to its end.",
			[]float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640}),
		tokens:  counter("tokens_total", "Tokens by kind: input, cached, output, reasoning.", "provider", "model", "kind", "source"),
		cost:    counter("cost_total", "Cost in units of the currency.", "provider", "model", "currency"),
		retries: counter("retries_total", "Calls made again, by the reason of the failure before.", "provider", "reason"),
		unsettled: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: space, Subsystem: room, Name: "unsettled_total", Help: "Attempts that could not be settled in time.",
		}),
	}
	m.collectors = []prometheus.Collector{m.attempts, m.firstToken, m.total, m.tokens, m.cost, m.retries, m.unsettled,
		&providerCollector{providers: providers,
			breaker:  prometheus.NewDesc("gptmesh_gpt_breaker_state", "The worst of the provider's targets: 0 closed, 1 open, 2 probing.", []string{"provider"}, nil),
			inFlight: prometheus.NewDesc("gptmesh_gpt_in_flight", "Calls under way.", []string{"provider"}, nil),
		}}
	if registerer == nil {
		return m, nil
	}
	for i, c := range m.collectors {
		if err := registerer.Register(c); err != nil {
			for _, registered := range m.collectors[:i] {
				registerer.Unregister(registered)
			}
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) close() {
	if m.registerer == nil {
		return
	}
	for _, c := range m.collectors {
		m.registerer.Unregister(c)
	}
}

// settled counts an attempt that has ended.
func (m *metrics) settled(target *registry.Target, row *gptv1.Attempt) {
	of := m.of(target, row.GetProvider())
	of.attempt(row.GetOutcome()).Inc()
	of.total.Observe(micros(row.GetTotalMicros()))
	if first := row.GetFirstTokenMicros(); first > 0 {
		of.firstToken.Observe(micros(first))
	}
	usage := row.GetUsage()
	for kind, tokens := range [...]int64{
		usage.GetInputTokens(), usage.GetCachedInputTokens(), usage.GetOutputTokens(), usage.GetReasoningTokens(),
	} {
		if tokens > 0 {
			of.token(kind, usage.GetSource()).Add(float64(tokens))
		}
	}
	if row.GetCostNanos() > 0 {
		m.cost.WithLabelValues(of.provider, of.model, row.GetCurrency()).Add(float64(row.GetCostNanos()) / 1e9)
	}
}

func micros(n int64) float64 { return (time.Duration(n) * time.Microsecond).Seconds() }

func modelLabel(target *registry.Target) string {
	switch {
	case target.Model.GetTestModel():
		return "echo"
	case target.Listed:
		return target.Name()
	}
	return "other"
}

// providerCollector reads the state of providers when asked.
type providerCollector struct {
	providers         *registry.Registry
	breaker, inFlight *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *providerCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.breaker
	out <- c.inFlight
}

// Collect implements prometheus.Collector.
func (c *providerCollector) Collect(out chan<- prometheus.Metric) {
	for _, entry := range c.providers.Entries() {
		if entry.Provider == nil {
			continue
		}
		state, running := breaker.Closed, 0
		for _, lane := range entry.Lanes {
			running += lane.Limiter.State().Running
			for _, place := range lane.Places() {
				if place.Breaker != nil {
					state = max(state, place.Breaker.Snapshot().State)
				}
			}
		}
		out <- prometheus.MustNewConstMetric(c.breaker, prometheus.GaugeValue, float64(state), entry.Info.Name)
		out <- prometheus.MustNewConstMetric(c.inFlight, prometheus.GaugeValue, float64(running), entry.Info.Name)
	}
}
