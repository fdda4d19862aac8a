package response

import (
	"context"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/response/internal/answerlog"
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
	response, err := s.awaitFinal(ctx, callctx.Owner(ctx), id, 0)
	if err != nil {
		return err
	}
	frames, err := s.store.Log(ctx, id)
	if err != nil {
		return storeFault(err, id)
	}
	if len(frames) == 0 {
		return s.watchLost(response, after, send)
	}
	entries, err := answerlog.Split(frames)
	if err != nil {
		return fault.Internal(err)
	}
	if after > int64(len(entries)) {
		return sequenceGone(int64(len(entries)))
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return fault.From(err)
		}
		if err := deliverEntry(entry, send); err != nil {
			return err
		}
	}
	return nil
}

// watchLost ends a watcher of an answer whose log died with its process: it
// has seen some of it, or nothing, and there is no more.
func (s *Service) watchLost(response *responsev1.Response, after int64, send func(*conversationv1.Chunk) error) error {
	var events []*conversationv1.Event
	if after == 0 {
		events = append(events, &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{
			ResponseId: response.GetId(), SessionId: response.GetSessionId(), CreateTime: response.GetCreateTime(),
		}}})
	}
	failure := response.GetFailure()
	if failure == nil {
		return fault.Internal(nil)
	}
	events = append(events, &conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: failure}})
	return send(&conversationv1.Chunk{Sequence: after + 1, Events: events})
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
	for i := 0; ; i++ {
		entry, ok, err := r.log.Next(ctx, i)
		if err != nil {
			return fault.From(err)
		}
		if !ok {
			if after > int64(i) {
				return sequenceGone(int64(i))
			}
			return nil
		}
		if err := deliverEntry(entry, send); err != nil {
			return err
		}
	}
}

// follow is read for the caller of Generate.
func (r *run) follow(ctx context.Context, after int64, send func(*conversationv1.Chunk) error) error {
	if _, _, err := r.log.Next(ctx, 0); err != nil {
		return fault.From(err)
	}
	// early is set, if ever, before the first and only chunk is there.
	if r.early != nil {
		return r.early
	}
	return r.read(ctx, send, after)
}

func deliverEntry(entry []byte, send func(*conversationv1.Chunk) error) error {
	chunk := new(conversationv1.Chunk)
	if err := proto.Unmarshal(entry, chunk); err != nil {
		return fault.Internal(err)
	}
	return send(chunk)
}
