package gpt

import (
	"context"
	"errors"
	"time"

	"github.com/gptmesh/gptmesh/pkg/lifecycle"
	"github.com/gptmesh/gptmesh/pkg/liveness"
)

func (s *Service) settleOrphans(ctx context.Context) error {
	n, err := s.store.SettleOrphans(ctx, s.instance, s.cfg.Ledger.Grace, s.deps.Clock())
	if n > 0 {
		s.deps.Logger.WarnContext(ctx, "settled attempts of processes that died", "room", "gpt", "attempts", n)
	}
	return err
}

// beat says that this process lives. Nothing that may take long keeps it from doing so.
func (s *Service) beat(ctx context.Context, pulse *liveness.Pulse) {
	s.every(ctx, pulse.Patience(), func(ctx context.Context) {
		switch err := s.store.Beat(ctx, s.instance); {
		case err == nil:
			pulse.Beat(time.Now())
		case !errors.Is(ctx.Err(), context.Canceled):
			s.deps.Logger.WarnContext(ctx, "the ledger cannot be told that this process lives", "room", "gpt", "error", err)
		}
	})
}

// settleOthers settles what processes leave that die.
func (s *Service) settleOthers(ctx context.Context, pulse *liveness.Pulse) {
	s.every(ctx, s.cfg.Ledger.WriteTimeout, func(ctx context.Context) {
		if !pulse.Trusted(time.Now()) {
			return
		}
		if err := s.settleOrphans(ctx); err != nil && !errors.Is(ctx.Err(), context.Canceled) {
			s.deps.Logger.WarnContext(ctx, "attempts of dead processes cannot be settled", "room", "gpt", "error", err)
		}
	})
}

// every does something at each heartbeat until ctx ends, each time no longer than patience.
func (s *Service) every(ctx context.Context, patience time.Duration, do func(ctx context.Context)) {
	lifecycle.Every(ctx, s.cfg.Ledger.Heartbeat, func(ctx context.Context) {
		bounded, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		do(bounded)
	})
}
