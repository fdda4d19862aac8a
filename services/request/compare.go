package request

import (
	"math"
	"strings"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/request/internal/route"
	"google.golang.org/grpc/codes"
)

// What an experiment asks for where it says nothing.
const (
	defaultMinSamples = 100
	defaultAlpha      = 0.05
)

func minSamples(e *requestv1.Experiment) int64 {
	if e.GetMinSamples() > 0 {
		return e.GetMinSamples()
	}
	return defaultMinSamples
}

func alpha(e *requestv1.Experiment) float64 {
	if e.GetAlpha() > 0 {
		return e.GetAlpha()
	}
	return defaultAlpha
}

// comparisons compare the variants by every metric that has values.
func (r *results) comparisons() []*requestv1.MetricComparison {
	a, b := &r.variants[0], &r.variants[1]
	var out []*requestv1.MetricComparison
	for _, m := range []struct {
		metric   requestv1.Experiment_Metric
		a, b     *route.Sample
		test     string
		compare  func(a, b *route.Sample) (statistic, p float64)
		moreGood bool
	}{
		{requestv1.Experiment_METRIC_SUCCESS, &a.success, &b.success, "two-proportion z", route.Proportions, true},
		{requestv1.Experiment_METRIC_LATENCY, &a.latency, &b.latency, "Welch t", route.Welch, false},
		{requestv1.Experiment_METRIC_COST, &a.cost, &b.cost, "Welch t", route.Welch, false},
		{requestv1.Experiment_METRIC_RATING, &a.rating, &b.rating, "Welch t", route.Welch, true},
	} {
		if m.a.Count+m.b.Count == 0 {
			continue
		}
		statistic, p := m.compare(m.a, m.b)
		c := &requestv1.MetricComparison{
			Metric: m.metric, Test: m.test, Difference: m.b.Mean() - m.a.Mean(), Statistic: bounded(statistic), PValue: p,
			Enough: min(m.a.Count, m.b.Count) >= minSamples(r.experiment),
		}
		if c.Significant = c.GetEnough() && p < alpha(r.experiment); c.GetSignificant() {
			c.Better = control
			if (c.GetDifference() > 0) == m.moreGood {
				c.Better = treatment
			}
		}
		out = append(out, c)
	}
	return out
}

// bounded keeps a statistic within what JSON can say.
func bounded(x float64) float64 { return min(max(x, -math.MaxFloat32), math.MaxFloat32) }

func samples(s *route.Sample) *requestv1.Samples {
	return &requestv1.Samples{Count: s.Count, Mean: s.Mean(), Deviation: math.Sqrt(s.Variance())}
}

func metricName(m requestv1.Experiment_Metric) string {
	return strings.ToLower(strings.TrimPrefix(m.String(), "METRIC_"))
}

func noExperiment(name string) *fault.Fault {
	return fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_EXPERIMENT_NOT_FOUND, "there is no such experiment", "experiment", name)
}
