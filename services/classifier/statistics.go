package classifier

import (
	"sync/atomic"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// statistics counts since the start or the last reset. It is safe for
// concurrent use; what is counted during a reset falls on either side of it.
type statistics struct{ present atomic.Pointer[counts] }

// counts is one period.
type counts struct {
	since         time.Time
	rejected      atomic.Int64
	lowConfidence atomic.Int64
	screened      atomic.Int64
	flagged       atomic.Int64
	tiers         [classifierv1.Tier_TIER_LLM + 1]atomic.Int64
	fallbacks     [classifierv1.Fallback_FALLBACK_OVERLOADED + 1]atomic.Int64
}

func newStatistics(now time.Time) *statistics {
	s := &statistics{}
	s.reset(now)
	return s
}

func (s *statistics) reset(now time.Time) { s.present.Store(&counts{since: now}) }
func (s *statistics) reject()             { s.present.Load().rejected.Add(1) }

func (s *statistics) decided(r *classifierv1.Classification, sure bool) {
	c := s.present.Load()
	c.tiers[r.GetTier()].Add(1)
	c.fallbacks[r.GetFallback()].Add(1)
	if !sure {
		c.lowConfidence.Add(1)
	}
}

func (s *statistics) screen(flagged bool) {
	c := s.present.Load()
	c.screened.Add(1)
	if flagged {
		c.flagged.Add(1)
	}
}

// report gives the counts. The total is the sum of the tiers, so that the two
// agree at any moment.
func (s *statistics) report() *classifierv1.GetStatisticsResponse {
	c := s.present.Load()
	resp := &classifierv1.GetStatisticsResponse{
		Rejected: c.rejected.Load(), LowConfidence: c.lowConfidence.Load(),
		Screened: c.screened.Load(), Flagged: c.flagged.Load(), Since: timestamppb.New(c.since),
	}
	for tier := classifierv1.Tier_TIER_HEURISTIC; tier <= classifierv1.Tier_TIER_LLM; tier++ {
		n := c.tiers[tier].Load()
		resp.Tiers = append(resp.Tiers, &classifierv1.TierCount{Tier: tier, Count: n})
		resp.Total += n
	}
	for why := classifierv1.Fallback_FALLBACK_TIMEOUT; why <= classifierv1.Fallback_FALLBACK_OVERLOADED; why++ {
		if n := c.fallbacks[why].Load(); n > 0 {
			resp.Fallbacks = append(resp.Fallbacks, &classifierv1.FallbackCount{Fallback: why, Count: n})
		}
	}
	return resp
}

// reject counts a text that breaks a rule.
func (s *Service) reject() {
	s.statistics.reject()
	s.metrics.rejected.Inc()
}
