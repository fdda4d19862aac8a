package response

import (
	"context"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/response/internal/answerlog"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// WatchResponse implements the RPC.
func (s *Service) WatchResponse(req *responsev1.WatchResponseRequest, stream grpc.ServerStreamingServer[responsev1.WatchResponseResponse]) error {
	s.metrics.watchers.Inc()
	defer s.metrics.watchers.Dec()
	ctx, id, after := stream.Context(), req.GetResponseId(), req.GetAfterSequence()
	send := s.watcher(req, stream.Send)
	if r := s.runningHere(callctx.Owner(ctx), id); r != nil {
		// early is for the caller of Generate; a watcher reads the log as it is.
		return r.read(ctx, send, after)
	}
	return s.readStored(ctx, callctx.Owner(ctx), id, after, send)
}

// readStored gives the log of an answer that another process makes, or that has
// ended, as the store has it: from its beginning and live to its end.
func (s *Service) readStored(ctx context.Context, owner, id string, after int64, send func(*conversationv1.Chunk) error) error {
	shortest := max(s.cfg.WatchPollInterval/5, time.Millisecond)
	pause, seen, good := shortest, int64(0), time.Now()
	for {
		running, frames, err := s.store.Follow(ctx, owner, id, seen)
		switch {
		case err != nil:
			// A store that is away for a moment does not end a watcher.
			err = storeFault(err, id)
			if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE) || time.Since(good) > s.cfg.StoreTimeout {
				return err
			}
		case !running:
			return s.readEnd(ctx, owner, id, after, seen, send)
		default:
			good = time.Now()
		}
		if len(frames) > 0 {
			if seen, err = deliverFrames(ctx, frames, seen, send); err != nil {
				return err
			}
			pause = shortest
		} else {
			pause = min(pause*3/2, s.cfg.WatchPollInterval)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fault.From(ctx.Err())
		case <-s.life.Done():
			timer.Stop()
			return shuttingDown()
		}
	}
}

// readEnd gives what follows seen in the log of an answer that has ended.
func (s *Service) readEnd(ctx context.Context, owner, id string, after, seen int64, send func(*conversationv1.Chunk) error) error {
	frames, err := s.store.Log(ctx, id)
	if err != nil {
		return storeFault(err, id)
	}
	// Behind the log, which goes with its answer: where it is there, so was the log.
	record, err := s.store.Get(ctx, owner, id)
	if err != nil {
		return storeFault(err, id)
	}
	last := record.Response.GetLastSequence()
	if failure := record.Response.GetFailure(); failure != nil {
		// A process that died may have shown more than it journaled: whoever saw
		// that misses nothing but the end.
		lost := record.Response.GetState() == responsev1.Response_STATE_INTERRUPTED && after >= last
		if lost || len(frames) == 0 {
			return send(lostEnd(record.Response, max(after, seen)))
		}
	}
	if len(frames) == 0 {
		return fault.Internal(nil)
	}
	if after > last {
		return sequenceGone(last)
	}
	_, err = deliverFrames(ctx, frames, seen, send)
	return err
}

// deliverFrames sends the chunks after a sequence number, and returns the last
// one's.
func deliverFrames(ctx context.Context, frames []byte, seen int64, send func(*conversationv1.Chunk) error) (int64, error) {
	entries, err := answerlog.Split(frames)
	if err != nil {
		return seen, fault.Internal(err)
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return seen, fault.From(err)
		}
		chunk := new(conversationv1.Chunk)
		if err := proto.Unmarshal(entry, chunk); err != nil {
			return seen, fault.Internal(err)
		}
		sequence := chunk.GetSequence()
		if sequence <= seen {
			continue
		}
		if err := send(chunk); err != nil {
			return seen, err
		}
		seen = sequence
	}
	return seen, nil
}

// awaitFinal returns an answer that is final, and waits until it is. With a
// limit it returns the answer as it is when that has passed.
func (s *Service) awaitFinal(ctx context.Context, owner, id string, limit time.Duration) (*responsev1.Response, error) {
	var passed <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		passed = timer.C
	}
	for {
		record, err := s.store.Get(ctx, owner, id)
		if err != nil {
			return nil, storeFault(err, id)
		}
		if record.Response.GetState() != responsev1.Response_STATE_RUNNING {
			return record.Response, nil
		}
		poll := time.NewTimer(s.cfg.WatchPollInterval)
		select {
		case <-poll.C:
		case <-passed:
			poll.Stop()
			return record.Response, nil
		case <-ctx.Done():
			poll.Stop()
			return nil, fault.From(ctx.Err())
		case <-s.life.Done():
			poll.Stop()
			return nil, shuttingDown()
		}
	}
}

// watcher makes what sends chunks to a watcher: in its wire or typed, and only
// those after its sequence number.
func (s *Service) watcher(req *responsev1.WatchResponseRequest, send func(*responsev1.WatchResponseResponse) error) func(*conversationv1.Chunk) error {
	t := &typer{codec: s.deps.Codec}
	return func(chunk *conversationv1.Chunk) error {
		if raw := chunk.GetRaw(); raw != nil && raw.GetWire() != req.GetAcceptWire() {
			events, err := t.events(chunk)
			if err != nil {
				return fault.From(err)
			}
			chunk.Events, chunk.Raw = events, nil
		}
		if chunk.GetSequence() <= req.GetAfterSequence() {
			return nil
		}
		return send(&responsev1.WatchResponseResponse{Chunk: chunk})
	}
}

// read gives the log of a running answer to send, from its beginning and live
// to its end.
func (r *run) read(ctx context.Context, send func(*conversationv1.Chunk) error, after int64) error {
	log := r.log.Reader()
	for i := 0; ; i++ {
		entry, ok, err := log.Next(ctx)
		if err != nil {
			return fault.From(err)
		}
		if !ok {
			if after > int64(i) {
				return sequenceGone(int64(i))
			}
			return nil
		}
		chunk := new(conversationv1.Chunk)
		if err := proto.Unmarshal(entry, chunk); err != nil {
			return fault.Internal(err)
		}
		// Nothing is shown before what was written for it is safe from the end of this
		// process, nor the end before it is durable.
		until := r.writes.Written
		if wire.Last(chunk) != nil {
			until = r.writes.Wait
		}
		if err := until(ctx); err != nil {
			return storeFault(err, r.id)
		}
		if err := send(chunk); err != nil {
			return err
		}
	}
}

// follow is read for the caller of Generate.
func (r *run) follow(ctx context.Context, after int64, send func(*conversationv1.Chunk) error) error {
	if err := r.log.Await(ctx); err != nil {
		return fault.From(err)
	}
	// early is set, if ever, before the first and only chunk is there.
	if r.early != nil {
		return r.early
	}
	return r.read(ctx, send, after)
}
