package request

import (
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/services/request/internal/route"
)

// maxTraced bounds the candidates that a trace lists.
const maxTraced = 24

// trace writes a choice into a decision.
func trace(d *requestv1.Decision, a *route.Answer) {
	d.Sticky, d.Defaulted = a.Sticky, a.Defaulted
	if a.Chosen != nil {
		d.Model, d.CostEstimateNanos = a.Chosen.ID, a.Chosen.Cost
	}
	listed := a.Candidates
	if len(listed) > maxTraced {
		d.OmittedCandidates = int32(len(listed) - maxTraced)
		listed = listed[:maxTraced]
	}
	for _, c := range listed {
		out := &requestv1.Candidate{
			Model: c.ID, Provider: c.Provider, Eligible: c.Eligible, Score: round(c.Score), Reason: c.Reason,
			Quality: round(c.Quality), CostEstimateNanos: c.Cost,
		}
		if c.Eligible {
			out.Fit, out.Price, out.Latency, out.Success = round(c.Fit), round(c.Price), round(c.Latency), round(c.Success)
			if out.Reason == "" && c.QualityFrom != "" {
				out.Reason = "quality from " + c.QualityFrom
			}
		}
		d.Candidates = append(d.Candidates, out)
	}
}

// round keeps four digits: enough to compare, and short in JSON.
func round(x float64) float64 { return float64(int64(x*1e4+0.5)) / 1e4 }

func featuresOf(f *route.Features, classified bool) *requestv1.RoutingFeatures {
	return &requestv1.RoutingFeatures{
		InputTokens: f.Input, MaxOutputTokens: f.MaxOutput, ExpectedOutputTokens: f.Output, Required: f.Required, Wanted: f.Wanted,
		Need: round(f.Need), Classified: classified, Messages: int32(f.Messages),
	}
}

// featuresFrom reads features back out of a trace.
func featuresFrom(d *requestv1.Decision) route.Features {
	stored := d.GetFeatures()
	f := route.Features{
		Input: stored.GetInputTokens(), MaxOutput: stored.GetMaxOutputTokens(), Output: stored.GetExpectedOutputTokens(),
		Required: stored.GetRequired(), Wanted: stored.GetWanted(), Need: stored.GetNeed(), Messages: int(stored.GetMessages()),
	}
	if stored.GetClassified() {
		f.Class, f.Complexity = classOf(d), d.GetComplexity()
	}
	return f
}

// classOf is the kind of work, for what is observed of such work.
func classOf(d *requestv1.Decision) string {
	if d.GetComplexity() == "" {
		return ""
	}
	return d.GetTaskType() + "/" + d.GetComplexity()
}
