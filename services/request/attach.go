package request

import (
	"context"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
)

// attach gives the answer of an earlier request, from its first chunk, live
// where it runs. Its client may leave without harm to it.
func (s *Service) attach(ctx context.Context, req *requestv1.SubmitRequest, request *requestv1.Request,
	send func(*requestv1.Request, *conversationv1.Chunk) error,
) error {
	bounded, cancel := context.WithTimeout(ctx, s.timeout(req))
	defer cancel()
	first, sequence, ended, left := true, int64(0), false, false
	err := s.watch(bounded, request, 0, req.GetTurn().GetAcceptWire(), func(chunk *conversationv1.Chunk) error {
		shown := request
		if last := wire.Last(chunk); last != nil {
			final, err := s.awaitFinal(bounded, request.GetOwner(), request.GetId())
			if err != nil {
				return err
			}
			if first && last.GetFailed() != nil {
				return wire.Fault(last.GetFailed()) // it failed before its first chunk
			}
			shown, ended = final, true
		} else if !first {
			shown = nil
		}
		first, sequence = false, chunk.GetSequence()
		err := send(shown, chunk)
		left = err != nil
		return err
	})
	switch {
	case ended, left:
		return err
	case ctx.Err() == nil && bounded.Err() != nil:
		err = deadline("response")
	case err == nil:
		err = wasInterrupted(request.GetResponseId())
	}
	if sequence == 0 || ctx.Err() != nil {
		return err
	}
	f := fault.From(err)
	return send(request, &conversationv1.Chunk{Sequence: sequence + 1, Events: []*conversationv1.Event{
		{Kind: &conversationv1.Event_Failed{Failed: wire.Failure(f)}},
	}})
}

// watch streams the log of a request's answer. An answer that the response room
// does not know yet is waited for as long as the request is not final; where it
// is, the error is the request's own failure.
func (s *Service) watch(ctx context.Context, request *requestv1.Request, after int64, accept conversationv1.Wire,
	sink func(*conversationv1.Chunk) error,
) error {
	for {
		err := s.deps.Response.WatchResponse(ctx, &responsev1.WatchResponseRequest{
			ResponseId: request.GetResponseId(), AfterSequence: after, AcceptWire: accept,
		}, func(m *responsev1.WatchResponseResponse) error { return sink(m.GetChunk()) })
		if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_RESPONSE_NOT_FOUND) {
			if err != nil {
				return roomFault(err, "response")
			}
			return nil
		}
		record, getErr := s.store.Get(ctx, request.GetOwner(), request.GetId())
		if getErr != nil {
			return storeFault(getErr, request.GetId())
		}
		if final(record.Request.GetState()) {
			if record.Request.GetFailure() != nil {
				return wire.Fault(record.Request.GetFailure())
			}
			return err // the answer was deleted
		}
		if err := s.pause(ctx, s.cfg.PollInterval); err != nil {
			return err
		}
	}
}

// awaitFinal waits until a request is final, which is soon after its answer is.
func (s *Service) awaitFinal(ctx context.Context, owner, id string) (*requestv1.Request, error) {
	bounded, cancel := context.WithTimeout(ctx, s.cfg.StoreTimeout)
	defer cancel()
	for {
		record, err := s.store.Get(bounded, owner, id)
		if err != nil {
			return nil, storeFault(err, id)
		}
		if final(record.Request.GetState()) {
			return record.Request, nil
		}
		if err := s.pause(bounded, s.cfg.PollInterval); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			return record.Request, nil // its process may be dead: a sweep will say
		}
	}
}

// pause waits a little before the next look.
func (s *Service) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fault.From(ctx.Err())
	case <-s.life.Done():
		return shuttingDown()
	}
}
