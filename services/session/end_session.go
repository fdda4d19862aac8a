package session

import (
	"context"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

// EndSession ends a session; see the contract.
func (s *Service) EndSession(ctx context.Context, req *sessionv1.EndSessionRequest) (*sessionv1.EndSessionResponse, error) {
	now, id := s.now(), req.GetSessionId()
	var session *store.Session
	ended := false
	err := s.write(ctx, func(ctx context.Context, tx store.Tx) error {
		held, err := s.hold(ctx, tx, id, now)
		if err != nil {
			return err
		}
		session, ended = held, held.State == store.Active
		if !ended {
			return nil
		}
		held.State, held.EndTime, held.UpdateTime = store.Ended, now, now
		held.Version++
		s.tellEnded(ctx, held)
		return tx.Save(ctx, held, finished(held))
	})
	if err != nil {
		return nil, failedFor(id, err)
	}
	if ended {
		s.metrics.finished.WithLabelValues("ended").Inc()
		s.watchers.notify(session.Key)
	}
	return &sessionv1.EndSessionResponse{Session: view(session, now)}, nil
}
