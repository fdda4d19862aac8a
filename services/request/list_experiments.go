package request

import (
	"context"
	"slices"
	"strings"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
)

// ListExperiments implements the RPC.
func (s *Service) ListExperiments(ctx context.Context, _ *requestv1.ListExperimentsRequest) (*requestv1.ListExperimentsResponse, error) {
	stored, err := s.routes.Experiments(ctx)
	if err != nil {
		return nil, storeFault(err, "")
	}
	list := slices.Concat(s.router.configured, stored)
	slices.SortFunc(list, func(a, b *requestv1.Experiment) int { return strings.Compare(a.GetName(), b.GetName()) })
	return &requestv1.ListExperimentsResponse{Experiments: list}, nil
}
