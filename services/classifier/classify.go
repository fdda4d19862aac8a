package classifier

import (
	"context"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
)

// Classify labels one text; see the contract.
func (s *Service) Classify(ctx context.Context, req *classifierv1.ClassifyRequest) (*classifierv1.ClassifyResponse, error) {
	if field, problem := check(req); field != "" {
		s.reject()
		return nil, fault.InvalidField(field, problem)
	}
	return &classifierv1.ClassifyResponse{Classification: s.classify(ctx, req)}, nil
}
