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
	since    time.Time
	rejected atomic.Int64
	tiers    [classifierv1.Tier_TIER_LLM + 1]atomic.Int64
}

func newStatistics(now time.Time) *statistics {
	s := &statistics{}
	s.reset(now)
	return s
}

func (s *statistics) reset(now time.Time)            { s.present.Store(&counts{since: now}) }
func (s *statistics) reject()                        { s.present.Load().rejected.Add(1) }
func (s *statistics) decided(tier classifierv1.Tier) { s.present.Load().tiers[tier].Add(1) }

// report gives the counts. The total is the sum of the tiers, so that the two
// agree at any moment.
func (s *statistics) report(tiers []tier) *classifierv1.GetStatisticsResponse {
	c := s.present.Load()
	resp := &classifierv1.GetStatisticsResponse{Rejected: c.rejected.Load(), Since: timestamppb.New(c.since)}
	for _, t := range tiers {
		n := c.tiers[t.is].Load()
		resp.Tiers = append(resp.Tiers, &classifierv1.TierCount{Tier: t.is, Count: n})
		resp.Total += n
	}
	return resp
}

// reject counts a text that breaks a rule.
func (s *Service) reject() {
	s.statistics.reject()
	s.metrics.rejected.Inc()
}
