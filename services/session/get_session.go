package session

import (
	"context"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
)

// GetSession returns a session; see the contract.
func (s *Service) GetSession(ctx context.Context, req *sessionv1.GetSessionRequest) (*sessionv1.GetSessionResponse, error) {
	now := s.now()
	session, err := s.read(ctx, req.GetSessionId(), now)
	if err != nil {
		return nil, failedFor(req.GetSessionId(), err)
	}
	return &sessionv1.GetSessionResponse{Session: view(session, now)}, nil
}
