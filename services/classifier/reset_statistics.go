package classifier

import (
	"context"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
)

// ResetStatistics sets the counts to zero; see the contract. The metrics of the
// process go on.
func (s *Service) ResetStatistics(context.Context, *classifierv1.ResetStatisticsRequest) (*classifierv1.ResetStatisticsResponse, error) {
	s.statistics.reset(s.clock())
	return &classifierv1.ResetStatisticsResponse{}, nil
}
