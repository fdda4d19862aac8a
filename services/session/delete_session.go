package session

import (
	"context"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

// DeleteSession removes a session; see the contract.
func (s *Service) DeleteSession(ctx context.Context, req *sessionv1.DeleteSessionRequest) (*sessionv1.DeleteSessionResponse, error) {
	now, id := s.now(), req.GetSessionId()
	var key int64
	err := s.write(ctx, func(ctx context.Context, tx store.Tx) error {
		held, err := s.hold(ctx, tx, id, now)
		if err != nil {
			return err
		}
		key = held.Key
		s.tellDeleted(ctx, held)
		return tx.Delete(ctx, held, store.Tombstone{
			Key: held.Key, ID: held.ID, Owner: held.Owner, Version: held.Version + 1, DeleteTime: now,
		})
	})
	if err != nil {
		return nil, failedFor(id, err)
	}
	s.metrics.finished.WithLabelValues("deleted").Inc()
	s.watchers.notify(key)
	return &sessionv1.DeleteSessionResponse{}, nil
}
