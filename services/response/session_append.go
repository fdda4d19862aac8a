package response

import (
	"context"
	"errors"
	"time"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// appendResult is what became of an append to a session.
type appendResult string

const (
	appendDone    appendResult = "done"
	appendRefused appendResult = "refused" // for good
	appendRetry   appendResult = "retry"
)

// appendNow asks the session room once. note says why it refused.
func (s *Service) appendNow(ctx context.Context, req *sessionv1.AppendMessagesRequest) (result appendResult, note string) {
	ctx, cancel := callctx.Lasting(ctx, s.cfg.SessionTimeout)
	defer cancel()
	_, err := s.deps.Session.AppendMessages(ctx, req)
	result = appendDone
	if f := fault.From(err); f != nil {
		switch f.Code {
		case codes.NotFound, codes.FailedPrecondition, codes.InvalidArgument, codes.AlreadyExists,
			codes.PermissionDenied, codes.Unauthenticated, codes.OutOfRange, codes.Unimplemented:
			result, note = appendRefused, fault.ReasonName(f.Reason)+": "+f.Message
		default:
			result = appendRetry
		}
		s.deps.Logger.Warn("a session did not take an answer", "session_id", req.GetSessionId(), "result", result, "error", err)
	}
	s.metrics.appends.WithLabelValues(string(result)).Inc()
	return result, note
}

// appendFirst is the append before the terminal chunk; done once the turn's writes
// are durable. Where the session room cannot serve, the stored intent remains.
func (s *Service) appendFirst(ctx context.Context, id string, req *sessionv1.AppendMessagesRequest) (done bool) {
	switch result, note := s.appendNow(ctx, req); result {
	case appendDone:
		return true
	case appendRefused:
		storeCtx, cancel := callctx.Lasting(ctx, s.cfg.StoreTimeout)
		defer cancel()
		if err := s.store.Settle(storeCtx, []string{id}, note); err != nil {
			s.deps.Logger.Warn("a note on an answer cannot be stored", "response_id", id, "error", err)
		}
	}
	return false
}

// settleSoon has an intent noted as done.
func (s *Service) settleSoon(id string) {
	select {
	case s.settled <- id:
	default: // done again later, which changes nothing
	}
}

// settle notes in the store which intents are done, many at once.
func (s *Service) settle() {
	for {
		var batch []string
		select {
		case id := <-s.settled:
			batch = append(batch, id)
		case <-s.life.Done():
		}
		for more := true; more && len(batch) < 256; {
			select {
			case id := <-s.settled:
				batch = append(batch, id)
			default:
				more = false
			}
		}
		if len(batch) == 0 {
			return // the room is closed and nothing is left
		}
		ctx, cancel := callctx.Lasting(s.life, s.cfg.StoreTimeout)
		if err := s.store.Settle(ctx, batch, ""); err != nil {
			s.deps.Logger.Warn("done appends cannot be noted", "count", len(batch), "error", err)
		}
		cancel()
	}
}

// retry carries out intents and final rows that were left, again and again.
func (s *Service) retry() {
	ticker := time.NewTicker(s.cfg.RetryInterval)
	defer ticker.Stop()
	for first := true; ; first = false {
		s.saveLeft()
		// Younger ones are likely in the hands of the call that stored them; one
		// that both carry out is carried out once.
		age := s.cfg.RetryInterval
		if first {
			age = 0
		}
		s.appendLeft(s.deps.Clock().Add(-age))
		select {
		case <-ticker.C:
		case <-s.life.Done():
			return
		}
	}
}

// saveLeft stores final rows that could not be committed. One that fails
// again goes back in the queue.
func (s *Service) saveLeft() {
	for range len(s.unsaved) {
		f := <-s.unsaved
		ctx, cancel := context.WithTimeout(s.life, s.cfg.StoreTimeout)
		err := s.finish(ctx, f, new(outbox.Place))
		cancel()
		if err != nil && !isNotRunning(err) && !errors.Is(err, store.ErrExists) {
			select {
			case s.unsaved <- f:
			default:
			}
			return
		}
	}
}

// appendLeft carries out the intents stored before a time.
func (s *Service) appendLeft(before time.Time) {
	const batch = 100
	for s.life.Err() == nil {
		intents, err := s.store.Pending(s.life, before, batch)
		if err != nil {
			s.deps.Logger.Warn("pending appends cannot be read", "error", err)
			return
		}
		var done []string // settled together: after a crash there may be thousands, most of them done before
		settle := func(ids []string, note string) bool {
			ctx, cancel := callctx.Lasting(s.life, s.cfg.StoreTimeout)
			defer cancel()
			return s.store.Settle(ctx, ids, note) == nil
		}
		progress := false
		for _, intent := range intents {
			req := new(sessionv1.AppendMessagesRequest)
			result, note := appendRefused, "the stored intent cannot be read"
			if err := proto.Unmarshal(intent.Request, req); err == nil {
				ctx := callctx.With(s.life, callctx.Call{
					RequestID: intent.ResponseID,
					Principal: callctx.Principal{ID: intent.Owner, Kind: callctx.Room, Internal: true},
				})
				result, note = s.appendNow(ctx, req)
			}
			switch result {
			case appendDone:
				done = append(done, intent.ResponseID)
			case appendRefused:
				progress = settle([]string{intent.ResponseID}, note) || progress
			}
		}
		if len(done) > 0 {
			progress = settle(done, "") || progress
		}
		if !progress || len(intents) < batch {
			return
		}
	}
}
