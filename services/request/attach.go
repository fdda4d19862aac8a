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

// attach gives the answer of an earlier request, from a sequence number on, live
// where it runs. Its client may leave without harm to it. again says that the
// request ended meanwhile, before its answer began and not for a reason of this
// caller: what holds for its key is to be asked anew.
func (s *Service) attach(ctx context.Context, req *requestv1.SubmitRequest, request *requestv1.Request,
	send func(*requestv1.Request, *conversationv1.Chunk) error,
) (again bool, err error) {
	bounded, cancel := context.WithTimeout(ctx, s.timeout(req))
	defer cancel()
	wasFinal := final(request.GetState())
	// While somebody follows it under its key, the answer goes on without the
	// client that began it.
	if r := s.runningHere(request.GetOwner(), request.GetId()); r != nil && r.join() {
		defer r.part()
	}
	v := view{s: s, request: request, sequence: req.GetAfterSequence(), send: send}
	err = v.relay(bounded, req.GetTurn().GetAcceptWire())
	switch {
	case v.ended, v.left:
		return false, err
	case v.unbegun:
		return !wasFinal && !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_INTERRUPTED), err
	case ctx.Err() == nil && bounded.Err() != nil:
		err = deadline("response")
	case err == nil:
		err = wasInterrupted(request.GetResponseId())
	}
	if v.first || ctx.Err() != nil {
		return false, err
	}
	f := fault.From(err)
	return false, send(request, &conversationv1.Chunk{Sequence: v.sequence + 1, Events: []*conversationv1.Event{
		{Kind: &conversationv1.Event_Failed{Failed: wire.Failure(f)}},
	}})
}

// view is one who follows the answer of a request that another call began.
type view struct {
	s       *Service
	request *requestv1.Request
	send    func(*requestv1.Request, *conversationv1.Chunk) error

	sequence int64 // of the last chunk passed on, or skipped
	first    bool  // none was passed on
	ended    bool  // the terminal chunk was passed on
	left     bool  // whoever follows has left
	unbegun  bool  // there is no answer to follow
}

// relay passes the answer on, to its end.
func (v *view) relay(ctx context.Context, accept conversationv1.Wire) error {
	v.first = true
	err := v.s.watch(ctx, v.request, v.sequence, accept, func(chunk *conversationv1.Chunk) error {
		shown := v.request
		if last := wire.Last(chunk); last != nil {
			final, err := v.s.awaitFinal(ctx, v.request.GetOwner(), v.request.GetId())
			if err != nil {
				return err
			}
			if chunk.GetSequence() == 1 && last.GetFailed() != nil {
				return wire.Fault(last.GetFailed())
			}
			shown, v.ended = final, true
		} else if !v.first {
			shown = nil
		}
		v.first, v.sequence = false, chunk.GetSequence()
		err := v.send(shown, chunk)
		v.left = err != nil
		return err
	})
	if v.first && err != nil && ctx.Err() == nil && !elsewhere(err) {
		v.unbegun = true
	}
	return err
}

// watch streams the log of a request's answer. An answer that the response room
// does not know yet is waited for as long as the request is not final; where it
// is, the error is the request's own failure. A connection that breaks is made
// again: the error is its own where nothing comes for resume_timeout.
func (s *Service) watch(ctx context.Context, request *requestv1.Request, after int64, accept conversationv1.Wire,
	sink func(*conversationv1.Chunk) error,
) error {
	var broken time.Time // since when nothing came through
	var refused error    // of the sink
	for {
		err := s.deps.Response.WatchResponse(ctx, &responsev1.WatchResponseRequest{
			ResponseId: request.GetResponseId(), AfterSequence: after, AcceptWire: accept,
		}, func(m *responsev1.WatchResponseResponse) error {
			after, broken = m.GetChunk().GetSequence(), time.Time{}
			refused = sink(m.GetChunk())
			return refused
		})
		switch {
		case err == nil, refused != nil:
			return refused
		case elsewhere(err) && ctx.Err() == nil:
			if broken.IsZero() {
				broken = time.Now()
			}
			if time.Since(broken) > s.cfg.ResumeTimeout {
				return roomFault(err, "response")
			}
		case !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_RESPONSE_NOT_FOUND):
			return roomFault(err, "response")
		case final(request.GetState()):
			if request.GetFailure() != nil {
				return wire.Fault(request.GetFailure())
			}
			return err // the answer was deleted
		default:
			record, getErr := s.store.Get(ctx, request.GetOwner(), request.GetId())
			if getErr != nil {
				return storeFault(getErr, request.GetId())
			}
			if request = record.Request; final(request.GetState()) {
				continue // the answer may have come and ended since it was looked for
			}
		}
		if err := s.pause(ctx, s.cfg.PollInterval); err != nil {
			return err
		}
	}
}

// elsewhere says that another process may have what this one could not give.
func elsewhere(err error) bool {
	return fault.BrokeOff(err) || fault.Is(err, meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE) ||
		fault.Is(err, meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN)
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
