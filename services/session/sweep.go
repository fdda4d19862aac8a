package session

import (
	"context"
	"errors"
	"time"

	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

// sweepBatch is how many sessions one round looks up at a time.
const sweepBatch = 100

// sweep writes down the sessions that have expired, removes those that ended long
// ago and forgets old tombstones.
func (s *Service) sweep(ctx context.Context) error {
	now := s.now()
	for {
		keys, err := s.store.Due(ctx, now, sweepBatch)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if err := s.expire(ctx, key, now); err != nil {
				return err
			}
		}
		if len(keys) < sweepBatch {
			break
		}
	}
	if s.cfg.Retention > 0 {
		if err := s.removeEnded(ctx, now.Add(-s.cfg.Retention)); err != nil {
			return err
		}
	}
	_, err := s.store.DropTombstones(ctx, now.Add(-s.cfg.TombstoneRetention))
	return err
}

// expire writes down that a session has expired, if it has by now and nobody did
// so before, and wakes its watchers. now is the time by which it was found, so
// that a clock that is set back meanwhile does not make it found again and again.
func (s *Service) expire(ctx context.Context, key int64, now time.Time) error {
	written := false
	err := s.write(ctx, func(ctx context.Context, tx store.Tx) error {
		written = false
		held, err := tx.SessionByKey(ctx, key)
		if err != nil {
			return err
		}
		if !settle(held, now) {
			return nil
		}
		written = true
		s.tellEnded(ctx, held)
		return tx.Save(ctx, held, finished(held))
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil && written {
		s.metrics.finished.WithLabelValues("expired").Inc()
		s.watchers.notify(key)
	}
	return err
}

// removeEnded removes the sessions that ended before a time.
func (s *Service) removeEnded(ctx context.Context, before time.Time) error {
	for {
		keys, err := s.store.Ended(ctx, before, sweepBatch)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if err := s.remove(ctx, func(ctx context.Context, tx store.Tx) (*store.Session, error) {
				return tx.SessionByKey(ctx, key)
			}); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		if len(keys) < sweepBatch {
			return nil
		}
	}
}

// finished is the log's entry for the end of a session.
func finished(held *store.Session) store.Addition {
	return store.Addition{Changes: []store.Change{{Version: held.Version, Kind: store.Finished}}}
}
