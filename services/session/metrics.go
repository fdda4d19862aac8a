package session

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the room's own; calls are counted by the process.
type metrics struct {
	created  *prometheus.CounterVec
	finished *prometheus.CounterVec
	messages *prometheus.CounterVec
	omitted  prometheus.Counter
	watchers prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		created: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_session_created_total", Help: "Sessions made, by how: create or fork.",
		}, []string{"how"}),
		finished: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_session_finished_total", Help: "Sessions that came to their end, by how: ended, expired or deleted.",
		}, []string{"how"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_session_messages_total", Help: "Messages sent to be appended, by result: stored or repeated.",
		}, []string{"result"}),
		omitted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gptmesh_session_context_omitted_messages_total", Help: "Messages left out of contexts, mostly for lack of budget.",
		}),
		watchers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gptmesh_session_watchers", Help: "WatchSession calls under way.",
		}),
	}
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.created, m.finished, m.messages, m.omitted, m.watchers} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
