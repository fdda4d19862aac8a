package request

import (
	"context"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// EndExperiment implements the RPC.
func (s *Service) EndExperiment(ctx context.Context, req *requestv1.EndExperimentRequest) (*requestv1.EndExperimentResponse, error) {
	e, err := s.changeExperiment(ctx, req.GetExperiment(), func(e *requestv1.Experiment) error {
		if e.GetEndTime() == nil {
			e.EndTime = timestamppb.New(s.deps.Clock())
		}
		return nil
	})
	return &requestv1.EndExperimentResponse{Experiment: e}, err
}
