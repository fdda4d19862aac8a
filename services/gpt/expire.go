package gpt

import (
	"context"
	"time"
)

// expireBatch is how many rows one write removes.
const expireBatch = 500

// expireRows removes rows of the ledger that are older than they are kept, until ctx
// ends.
func (s *Service) expireRows(ctx context.Context) {
	ticker := time.NewTicker(s.cfg.Ledger.SweepInterval)
	defer ticker.Stop()
	for {
		if err := s.expire(ctx); err != nil && ctx.Err() == nil {
			s.deps.Logger.WarnContext(ctx, "old rows of the ledger cannot be removed", "room", "gpt", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (s *Service) expire(ctx context.Context) error {
	for {
		n, err := s.store.Expire(ctx, s.deps.Clock().Add(-s.cfg.Ledger.Retention), expireBatch)
		if err != nil || n < expireBatch {
			return err
		}
	}
}
