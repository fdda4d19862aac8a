package request

import (
	"context"
	"errors"
	"math"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
)

// UpdateExperiment implements the RPC.
func (s *Service) UpdateExperiment(ctx context.Context, req *requestv1.UpdateExperimentRequest) (*requestv1.UpdateExperimentResponse, error) {
	if math.IsNaN(req.GetPercent()) {
		return nil, fault.InvalidField("percent", "is not a number")
	}
	e, err := s.changeExperiment(ctx, req.GetExperiment(), func(e *requestv1.Experiment) error {
		if e.GetEndTime() != nil {
			return fault.InvalidField("experiment", "has ended")
		}
		e.Percent = percent(req.GetPercent())
		return nil
	})
	return &requestv1.UpdateExperimentResponse{Experiment: e}, err
}

// changeExperiment changes a stored experiment.
func (s *Service) changeExperiment(ctx context.Context, name string, change func(*requestv1.Experiment) error) (*requestv1.Experiment, error) {
	if s.configured(name) != nil {
		return nil, fault.InvalidField("experiment", "stands in the configuration: change it there")
	}
	e, err := s.routes.ChangeExperiment(ctx, name, change)
	var f *fault.Fault
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, noExperiment(name)
	case errors.As(err, &f):
		return nil, f
	case err != nil:
		return nil, storeFault(err, "")
	}
	s.router.forgetTrials()
	return e, nil
}
