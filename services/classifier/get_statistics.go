package classifier

import (
	"context"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
)

// GetStatistics returns the counts of this process; see the contract.
func (s *Service) GetStatistics(context.Context, *classifierv1.GetStatisticsRequest) (*classifierv1.GetStatisticsResponse, error) {
	resp := s.statistics.report()
	resp.Breaker = s.breakerState()
	if l := s.heads.loaded(); l != nil {
		for _, head := range l.heads {
			v := &classifierv1.HeadVersion{Head: head, Active: l.versions[head]}
			if c := l.canaries[head]; c != nil {
				v.Canary, v.CanaryPercent = c.version, int32(c.percent)
			}
			resp.ModelVersions = append(resp.ModelVersions, v)
		}
	}
	return resp, nil
}
