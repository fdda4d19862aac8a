package request

import (
	"context"
	"errors"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/types/known/timestamppb"
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
	s.work.Go(func() { s.every(s.cfg.HeartbeatInterval, s.beat) })
	s.work.Go(func() { s.every(s.cfg.RetryInterval, s.saveLeft) })
	s.work.Go(func() { s.every(s.cfg.SweepInterval, s.dropKeys) })
	return nil
}

// every does something again and again until the room is closed.
func (s *Service) every(interval time.Duration, do func(ctx context.Context) error) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-s.life.Done():
			return
		}
		ctx, cancel := context.WithTimeout(s.life, max(interval, s.cfg.StoreTimeout))
		if err := do(ctx); err != nil && s.life.Err() == nil {
			s.deps.Logger.Warn("work in the background", "error", err)
		}
		cancel()
	}
}

func (s *Service) beat(ctx context.Context) error {
	if s.shared {
		if err := s.heartbeat(ctx); err != nil {
			return err
		}
	}
	return s.sweep(ctx)
}

func (s *Service) heartbeat(ctx context.Context) error {
	now := s.deps.Clock()
	// A process that was only slow is not forgotten at once.
	return s.store.Heartbeat(ctx, s.instance, now, now.Add(-100*s.cfg.DeadAfter))
}

func (s *Service) dropKeys(ctx context.Context) error { return s.store.DropKeys(ctx, s.deps.Clock()) }

// saveLeft stores final states that could not be stored at first.
func (s *Service) saveLeft(ctx context.Context) error {
	for range len(s.unsaved) {
		left := <-s.unsaved
		if err := s.finish(ctx, left); err != nil && !errors.Is(err, store.ErrFinal) {
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
		orphans, err := s.store.Orphans(ctx, s.instance, s.deps.Clock().Add(-s.cfg.DeadAfter), !s.shared, batch)
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
	owned := callctx.With(ctx, callctx.Call{
		RequestID: request.GetId(),
		Principal: callctx.Principal{ID: request.GetOwner(), Kind: callctx.Room, Internal: true},
	})
	bounded, cancel := context.WithTimeout(owned, s.cfg.SessionTimeout)
	defer cancel()
	resp, err := s.deps.Response.GetResponse(bounded, &responsev1.GetResponseRequest{ResponseId: request.GetResponseId()})
	answer := resp.GetResponse()
	answered := answer.GetFirstEventTime() != nil
	request.State, request.Failure = interrupted, wire.Failure(wasInterrupted(request.GetResponseId()))
	switch {
	case err != nil && !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_RESPONSE_NOT_FOUND):
		s.deps.Logger.Warn("the answer of a stopped process's request cannot be looked up", "request_id", request.GetId(), "error", err)
		return false, nil
	case answer.GetState() == responsev1.Response_STATE_RUNNING:
		return false, nil
	case answer.GetState() == responsev1.Response_STATE_COMPLETED:
		request.State, request.Failure = completed, nil
	case answer.GetState() == responsev1.Response_STATE_CANCELLED && !request.GetDetached():
		// The process that stopped was the client that left.
	case answer.GetState() == responsev1.Response_STATE_FAILED, answer.GetState() == responsev1.Response_STATE_CANCELLED:
		request.Failure = answer.GetFailure()
		request.State = stateOf(request.GetFailure())
	}
	if answer.GetUsage() != nil {
		request.Usage = answer.GetUsage()
	}
	now := timestamppb.New(s.deps.Clock())
	request.FinishTime, request.UpdateTime = now, now
	if err := s.store.Finish(s.tellingEnd(ctx, request, false), request, answered); err != nil && !errors.Is(err, store.ErrFinal) {
		return false, err
	}
	return true, nil
}
