package response

import (
	"context"
	"errors"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/lifecycle"
	"github.com/gptmesh/gptmesh/pkg/liveness"
	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
)

func isNotRunning(err error) bool { return errors.Is(err, store.ErrNotRunning) }

// Start makes answers of dead processes INTERRUPTED, and starts the room's
// goroutines. Appends to sessions that were left are carried out in the
// background, as soon as the session room serves.
func (s *Service) Start(ctx context.Context) error {
	if s.shared {
		if err := s.heartbeat(ctx); err != nil {
			return storeFault(err, "")
		}
	}
	if err := s.sweep(ctx); err != nil {
		return storeFault(err, "")
	}
	s.work.Go(s.settle)
	s.work.Go(s.retry)
	if s.cfg.JournalInterval > 0 {
		s.work.Go(s.journal)
	}
	s.work.Go(s.expire)
	if s.shared {
		pulse := liveness.New(s.cfg.HeartbeatInterval, s.cfg.DeadAfter, time.Now())
		s.work.Go(func() { s.beat(pulse) })
		s.work.Go(func() { s.sweepOthers(pulse) })
	}
	return nil
}

// beat says that this process lives, and looks for what others ask of it. Nothing that
// may take long keeps it from doing so.
func (s *Service) beat(pulse *liveness.Pulse) {
	lifecycle.Every(s.life, s.cfg.HeartbeatInterval, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, pulse.Patience())
		defer cancel()
		err := s.heartbeat(ctx)
		if err == nil {
			pulse.Beat(time.Now())
		}
		if err = errors.Join(err, s.cancelAsked(ctx)); err != nil && s.life.Err() == nil {
			s.deps.Logger.Warn("heartbeat", "error", err)
		}
	})
}

// sweepOthers ends the answers of processes that die.
func (s *Service) sweepOthers(pulse *liveness.Pulse) {
	lifecycle.Every(s.life, s.cfg.HeartbeatInterval, func(ctx context.Context) {
		if !pulse.Trusted(time.Now()) {
			return
		}
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.deps.Logger.Warn("the answers of stopped processes cannot be ended", "error", err)
		}
	})
}

// A clock that jumps makes no process look dead: the store's is asked.
func (s *Service) heartbeat(ctx context.Context) error {
	now, err := s.store.Now(ctx)
	if err != nil {
		return err
	}
	// A process that was only slow is not forgotten at once.
	return s.store.Heartbeat(ctx, s.instance, now, now.Add(-100*s.cfg.DeadAfter))
}

// cancelAsked ends the answers that were cancelled through another process.
func (s *Service) cancelAsked(ctx context.Context) error {
	asked, err := s.store.CancelRequested(ctx, s.instance)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range asked {
		if r := s.running[id]; r != nil {
			r.reins.Cancel(errCancelled)
		}
	}
	return nil
}

// sweepBatch bounds how many answers one transaction ends.
const sweepBatch = 50

// sweep makes the answers of dead processes INTERRUPTED. Where there is not time enough for
// many at once, they are ended by fewer.
func (s *Service) sweep(ctx context.Context) error {
	for limit := sweepBatch; ; {
		bounded, cancel := context.WithTimeout(ctx, s.cfg.StoreTimeout)
		n, err := s.sweepSome(bounded, limit)
		late := bounded.Err() != nil && ctx.Err() == nil
		cancel()
		switch {
		case err != nil && late && limit > 1:
			limit = max(limit/5, 1)
		case err != nil || n < limit:
			return err
		}
	}
}

// sweepSome ends at most limit answers, and returns how many.
func (s *Service) sweepSome(ctx context.Context, limit int) (int, error) {
	ctx = outbox.Open(ctx)
	now, err := s.store.Now(ctx)
	if err != nil {
		return 0, err
	}
	sweep := s.sweepOf(ctx, now, limit, nil)
	orphans, err := s.store.Orphans(ctx, sweep)
	if err != nil || len(orphans) == 0 {
		return 0, err
	}
	orphans, attempts := s.spentBy(ctx, orphans)
	sweep = s.sweepOf(ctx, now, limit, attempts)
	for _, r := range orphans {
		sweep.Of = append(sweep.Of, r.GetId())
	}
	n, err := s.store.Interrupt(ctx, sweep)
	if n > 0 {
		s.deps.Logger.Info("answers of stopped processes are marked interrupted", "count", n)
	}
	return n, err
}

// sweepOf is one sweep as of now by the store's clock, with the attempts of its answers
// in the ledger. It is small, since what was journaled is decoded within its transaction.
func (s *Service) sweepOf(ctx context.Context, now time.Time, limit int, attempts map[string][]*gptv1.Attempt) store.Sweep {
	return store.Sweep{
		DeadBefore: now.Add(-s.cfg.DeadAfter), Except: s.instance, All: !s.shared, Now: s.deps.Clock(), Limit: limit,
		End: func(r *responsev1.Response, frames []byte) []byte {
			log := s.endInterrupted(r, frames, attempts[r.GetId()])
			record := s.ending(ctx, r)
			outbox.Add(ctx, record.Record())
			record.Release()
			return log
		},
	}
}
