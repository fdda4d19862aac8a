package request

import (
	"context"
	"errors"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/lifecycle"
	"github.com/gptmesh/gptmesh/pkg/liveness"
	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"github.com/gptmesh/gptmesh/wire"
)

// Start finishes requests of dead processes, and starts the room's goroutines.
// Where the response room cannot be asked yet, it is asked again in the
// background.
func (s *Service) Start(ctx context.Context) error {
	if s.shared {
		if err := s.heartbeat(ctx); err != nil {
			return storeFault(err, "")
		}
	}
	if err := s.sweep(ctx); err != nil {
		return storeFault(err, "")
	}
	pulse := liveness.New(s.cfg.HeartbeatInterval, s.cfg.DeadAfter, time.Now())
	if s.shared {
		s.work.Go(func() {
			s.every(s.cfg.HeartbeatInterval, pulse.Patience(), func(ctx context.Context) error { return s.beat(ctx, pulse) })
		})
	}
	s.work.Go(func() {
		s.every(s.cfg.HeartbeatInterval, s.cfg.StoreTimeout, func(ctx context.Context) error { return s.sweepOthers(ctx, pulse) })
	})
	if s.deps.Subscriber != nil {
		s.work.Go(s.hearOfSessions)
	}
	s.work.Go(func() { s.every(s.cfg.RetryInterval, s.cfg.StoreTimeout, s.saveLeft) })
	s.work.Go(func() { s.every(s.cfg.RetryInterval, s.cfg.StoreTimeout, s.settleOpen) })
	s.work.Go(func() { s.every(s.cfg.SweepInterval, s.cfg.StoreTimeout, s.expire) })
	return nil
}

// every does something again and again until the room is closed, each time no longer than
// patience, or than interval where that is more.
func (s *Service) every(interval, patience time.Duration, do func(ctx context.Context) error) {
	lifecycle.Every(s.life, interval, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, max(interval, patience))
		defer cancel()
		if err := do(ctx); err != nil && s.life.Err() == nil {
			s.deps.Logger.Warn("work in the background", "error", err)
		}
	})
}

// beat says that this process lives. Nothing that may take long keeps it from doing so.
func (s *Service) beat(ctx context.Context, pulse *liveness.Pulse) error {
	err := s.heartbeat(ctx)
	if err == nil {
		pulse.Beat(time.Now())
	}
	return err
}

// sweepOthers finishes the requests of processes that die. Those of a process of its own
// store were left by an earlier one.
func (s *Service) sweepOthers(ctx context.Context, pulse *liveness.Pulse) error {
	if s.shared && !pulse.Trusted(time.Now()) {
		return nil
	}
	return s.sweep(ctx)
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

// expire removes keys and requests whose time is over.
func (s *Service) expire(ctx context.Context) error {
	const batch = 500
	now := s.deps.Clock()
	if err := s.store.DropKeys(ctx, now); err != nil || s.cfg.Retention == 0 {
		return err
	}
	if err := s.routes.ExpireRouting(ctx, now.Add(-s.cfg.Retention)); err != nil {
		return err
	}
	for {
		n, err := s.store.Expire(ctx, now.Add(-s.cfg.Retention), batch)
		if err != nil || n < batch {
			return err
		}
	}
}

// saveLeft stores final states that could not be stored at first.
func (s *Service) saveLeft(ctx context.Context) error {
	for range len(s.unsaved) {
		left := <-s.unsaved
		if err := s.finish(ctx, left, new(outbox.Place)); err != nil && !errors.Is(err, store.ErrFinal) {
			select {
			case s.unsaved <- left:
			default:
			}
			return err
		}
	}
	return nil
}

// sweep finishes the requests of dead processes, by what became of their
// answers.
func (s *Service) sweep(ctx context.Context) error {
	const batch = 500
	for {
		now, err := s.store.Now(ctx)
		if err != nil {
			return err
		}
		orphans, err := s.store.Orphans(ctx, s.instance, now.Add(-s.cfg.DeadAfter), !s.shared, batch)
		if err != nil {
			return err
		}
		finished := 0
		for _, request := range orphans {
			done, err := s.adopt(ctx, request)
			if err != nil {
				return err
			}
			if done {
				finished++
			}
		}
		if finished > 0 {
			s.deps.Logger.Info("requests of stopped processes are finished", "count", finished)
		}
		if finished == 0 || len(orphans) < batch {
			return nil
		}
	}
}

// adopt finishes one request that nobody handles; false where its answer still
// runs, or the response room cannot be asked.
func (s *Service) adopt(ctx context.Context, request *requestv1.Request) (bool, error) {
	end := openEnd{request: request, state: interrupted, failure: wire.Failure(wasInterrupted(request.GetResponseId()))}
	return s.settle(ctx, end)
}
