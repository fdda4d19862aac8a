package edge

import (
	"maps"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// edgeMetrics are the edge's metrics. Those of a route are looked up once, at
// its first request: routes that nobody uses are not listed.
type edgeMetrics struct {
	requests  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	firstByte *prometheus.HistogramVec
	inFlight  prometheus.Gauge
	streams   prometheus.Gauge
	sent      prometheus.Counter
}

var secondsBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}

func newMetrics(registry prometheus.Registerer) (*edgeMetrics, error) {
	m := &edgeMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gptmesh_http_requests_total", Help: "HTTP requests, by face, route and status; 499 is a client that left.",
		}, []string{"face", "method", "route", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gptmesh_http_request_duration_seconds", Help: "Time from the request's headers to the end of the answer.", Buckets: secondsBuckets,
		}, []string{"face", "method", "route"}),
		firstByte: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gptmesh_http_first_byte_seconds", Help: "Time from the request's headers to the answer's.", Buckets: secondsBuckets,
		}, []string{"face", "method", "route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "gptmesh_http_requests_in_flight", Help: "HTTP requests under way."}),
		streams:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "gptmesh_http_streams", Help: "Streamed answers under way."}),
		sent:     prometheus.NewCounter(prometheus.CounterOpts{Name: "gptmesh_http_sent_bytes_total", Help: "Bytes of answers' bodies."}),
	}
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.firstByte, m.inFlight, m.streams, m.sent} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// routeMetrics are the metrics of one route.
type routeMetrics struct {
	all                 *edgeMetrics
	face, method, route string
	times               func() routeTimes
	codes               atomic.Pointer[map[int]prometheus.Counter]
}

// routeTimes are the histograms of one route.
type routeTimes struct{ duration, firstByte prometheus.Observer }

func (m *edgeMetrics) route(face, method, route string) *routeMetrics {
	r := &routeMetrics{all: m, face: face, method: method, route: route, times: sync.OnceValue(func() routeTimes {
		return routeTimes{duration: m.duration.WithLabelValues(face, method, route), firstByte: m.firstByte.WithLabelValues(face, method, route)}
	})}
	r.codes.Store(&map[int]prometheus.Counter{})
	return r
}

// code is the counter of one status. The map is replaced, never changed: a
// route meets few statuses.
func (r *routeMetrics) code(status int) prometheus.Counter {
	for {
		known := r.codes.Load()
		if c, ok := (*known)[status]; ok {
			return c
		}
		grown := maps.Clone(*known)
		grown[status] = r.all.requests.WithLabelValues(r.face, r.method, r.route, strconv.Itoa(status))
		if r.codes.CompareAndSwap(known, &grown) {
			return grown[status]
		}
	}
}
