package classifier

import (
	"context"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/services/classifier/internal/rules"
)

// tier is one stage.
type tier struct {
	is        classifierv1.Tier
	threshold float64
	ask       func(context.Context, *classifierv1.ClassifyRequest) rules.Verdict
}

// classify asks the tiers in order until one reaches its threshold; where none
// does, the last one's answer stands. Every tier that was asked is in
// tier_results.
func (s *Service) classify(ctx context.Context, req *classifierv1.ClassifyRequest) *classifierv1.Classification {
	started := time.Now()
	result := &classifierv1.Classification{TierResults: make([]*classifierv1.TierResult, 0, len(s.tiers))}
	for i := range s.tiers {
		t := &s.tiers[i]
		verdict := t.ask(ctx, req)
		said := &classifierv1.TierResult{
			Tier: t.is, TaskType: verdict.Type, Complexity: verdict.Complexity, Confidence: verdict.Confidence,
			Accepted: verdict.Confidence >= t.threshold,
		}
		result.TierResults = append(result.TierResults, said)
		result.Tier, result.TaskType, result.Complexity = t.is, verdict.Type, verdict.Complexity
		result.Confidence, result.Reason, result.Evidence = verdict.Confidence, verdict.Reason, verdict.Evidence
		if said.Accepted {
			break
		}
		said.Note = "below its threshold"
	}
	result.Strategy, result.TokenEstimate = plan(result.GetComplexity())
	s.statistics.decided(result.GetTier())
	s.metrics.observe(result.GetTier(), time.Since(started))
	return result
}

// plan is the strategy for a complexity, and the tokens that it is likely to
// take.
func plan(c classifierv1.Complexity) (classifierv1.Strategy, int64) {
	switch c {
	case classifierv1.Complexity_COMPLEXITY_SIMPLE:
		return classifierv1.Strategy_STRATEGY_SINGLE_SHOT, 2000
	case classifierv1.Complexity_COMPLEXITY_MEDIUM:
		return classifierv1.Strategy_STRATEGY_ITERATIVE, 6000
	}
	return classifierv1.Strategy_STRATEGY_MULTI_AGENT, 20_000
}
