package classifier

import (
	"context"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
)

// GetStatistics returns the counts of this process; see the contract.
func (s *Service) GetStatistics(context.Context, *classifierv1.GetStatisticsRequest) (*classifierv1.GetStatisticsResponse, error) {
	return s.statistics.report(s.tiers), nil
}
