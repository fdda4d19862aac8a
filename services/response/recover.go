package response

import (
	"context"
	"errors"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
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
		s.work.Go(s.beat)
	}
	return nil
}

// beat says that this process lives, and looks for what others ask of it.
func (s *Service) beat() {
	ticker := time.NewTicker(s.cfg.HeartbeatInterval)
	defer ticker.Stop()
	last, quiet := time.Now(), time.Time{}
	for {
		select {
		case <-ticker.C:
		case <-s.life.Done():
			return
		}
		ctx, cancel := context.WithTimeout(s.life, s.cfg.HeartbeatInterval)
		err := errors.Join(s.heartbeat(ctx), s.cancelAsked(ctx))
		if err == nil {
			// Where the store was away for all, the others come back in their turn:
			// until then none of them is dead.
			if time.Since(last) > 2*s.cfg.HeartbeatInterval {
				quiet = time.Now().Add(s.cfg.DeadAfter)
			}
			if last = time.Now(); last.After(quiet) {
				err = s.sweep(ctx)
			}
		}
		if err != nil && s.life.Err() == nil {
			s.deps.Logger.Warn("heartbeat", "error", err)
		}
		cancel()
	}
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

// sweep makes the answers of dead processes INTERRUPTED.
func (s *Service) sweep(ctx context.Context) error {
	for {
		ctx := outbox.Open(ctx)
		now, err := s.store.Now(ctx)
		if err != nil {
			return err
		}
		sweep := s.sweepOf(ctx, now, nil)
		orphans, err := s.store.Orphans(ctx, sweep)
		if err != nil || len(orphans) == 0 {
			return err
		}
		sweep = s.sweepOf(ctx, now, s.spentBy(ctx, orphans))
		for _, r := range orphans {
			sweep.Of = append(sweep.Of, r.GetId())
		}
		n, err := s.store.Interrupt(ctx, sweep)
		if err != nil {
			return err
		}
		if n > 0 {
			s.deps.Logger.Info("answers of stopped processes are marked interrupted", "count", n)
		}
		if n < sweep.Limit {
			return nil
		}
	}
}

// sweepOf is one sweep as of now by the store's clock, with the attempts of its answers
// in the ledger. It is small, since what was journaled is decoded within its transaction.
func (s *Service) sweepOf(ctx context.Context, now time.Time, attempts map[string][]*gptv1.Attempt) store.Sweep {
	return store.Sweep{
		DeadBefore: now.Add(-s.cfg.DeadAfter), Except: s.instance, All: !s.shared, Now: s.deps.Clock(), Limit: 50,
		End: func(r *responsev1.Response, frames []byte) []byte {
			log := s.endInterrupted(r, frames, attempts[r.GetId()])
			record := s.ending(ctx, r)
			outbox.Add(ctx, record.Record())
			record.Release()
			return log
		},
	}
}
