package session

import (
	"context"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

// DeleteSession removes a session; see the contract.
func (s *Service) DeleteSession(ctx context.Context, req *sessionv1.DeleteSessionRequest) (*sessionv1.DeleteSessionResponse, error) {
	now, id := s.now(), req.GetSessionId()
	err := s.remove(ctx, func(ctx context.Context, tx store.Tx) (*store.Session, error) { return s.hold(ctx, tx, id, now) })
	if err != nil {
		return nil, failedFor(id, err)
	}
	return &sessionv1.DeleteSessionResponse{}, nil
}

// remove removes the session that hold holds, tells of it and wakes its watchers.
func (s *Service) remove(ctx context.Context, hold func(ctx context.Context, tx store.Tx) (*store.Session, error)) error {
	var key int64
	err := s.write(ctx, func(ctx context.Context, tx store.Tx) error {
		held, err := hold(ctx, tx)
		if err != nil {
			return err
		}
		key = held.Key
		s.tellDeleted(ctx, held)
		return tx.Delete(ctx, held, store.Tombstone{
			Key: held.Key, ID: held.ID, Owner: held.Owner, Version: held.Version + 1, DeleteTime: s.now(),
		})
	})
	if err != nil {
		return err
	}
	s.metrics.finished.WithLabelValues("deleted").Inc()
	s.watchers.notify(key)
	return nil
}
