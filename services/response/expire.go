package response

import (
	"context"
	"errors"
	"time"
)

// expireBatch is how many answers, or pieces, are removed in one transaction.
const expireBatch = 500

// expire removes answers past their retention, and pieces that outlived their
// answers, again and again.
func (s *Service) expire() {
	ticker := time.NewTicker(s.cfg.SweepInterval)
	defer ticker.Stop()
	for {
		if err := errors.Join(s.tidy(s.life), s.expireAll(s.life)); err != nil && s.life.Err() == nil {
			s.deps.Logger.Warn("old answers cannot be removed", "error", err)
		}
		select {
		case <-ticker.C:
		case <-s.life.Done():
			return
		}
	}
}

func (s *Service) tidy(ctx context.Context) error {
	for {
		if n, err := s.store.Tidy(ctx, expireBatch); err != nil || n < expireBatch {
			return err
		}
	}
}

func (s *Service) expireAll(ctx context.Context) error {
	for s.cfg.Retention > 0 {
		n, err := s.store.Expire(ctx, s.deps.Clock().Add(-s.cfg.Retention), expireBatch)
		if err != nil {
			return err
		}
		s.metrics.expired.Add(float64(n))
		if n < expireBatch {
			return nil
		}
	}
	return nil
}
