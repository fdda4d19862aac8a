package classifier

import (
	"context"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/pkg/breaker"
)

// ResetBreaker closes the breaker; see the contract.
func (s *Service) ResetBreaker(context.Context, *classifierv1.ResetBreakerRequest) (*classifierv1.ResetBreakerResponse, error) {
	if s.llm != nil {
		s.llm.breaker.Reset()
	}
	return &classifierv1.ResetBreakerResponse{}, nil
}

func (s *Service) breakerState() classifierv1.BreakerState {
	if s.llm == nil {
		return classifierv1.BreakerState_BREAKER_STATE_UNSPECIFIED
	}
	switch s.llm.breaker.Snapshot().State {
	case breaker.Open:
		return classifierv1.BreakerState_BREAKER_STATE_OPEN
	case breaker.Probing:
		return classifierv1.BreakerState_BREAKER_STATE_HALF_OPEN
	}
	return classifierv1.BreakerState_BREAKER_STATE_CLOSED
}
