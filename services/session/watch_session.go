package session

import (
	"context"
	"errors"
	"strings"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/services/session/internal/message"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

const (
	// watchBatch is how many changes are read at a time.
	watchBatch = 100
	// watchRetry is what a caller is told to wait when there are too many
	// watchers.
	watchRetry = time.Second
)

// WatchSession streams a session's changes; see the contract and the package's
// comment. A session that ended before the call gives the rest of its changes.
func (s *Service) WatchSession(req *sessionv1.WatchSessionRequest, stream grpc.ServerStreamingServer[sessionv1.WatchSessionResponse]) error {
	ctx, id := stream.Context(), req.GetSessionId()
	session, err := s.read(ctx, id, s.now())
	if errors.Is(err, store.ErrNotFound) && strings.IndexByte(id, 0) < 0 {
		return s.watchDeleted(ctx, req, stream)
	}
	if err != nil {
		return failedFor(id, err)
	}
	// Woken from before the first look at the log, so that no change falls
	// between the two.
	w, err := s.watchers.add(session.Key)
	if err != nil {
		return err
	}
	defer s.watchers.remove(w)
	w.version.Store(req.GetAfterVersion())
	for {
		over, err := s.deliver(ctx, id, w, stream)
		if err != nil && s.watchers.over() {
			return shuttingDown() // the store may be gone already
		}
		if over || err != nil {
			return err
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		case <-s.watchers.closed:
			return shuttingDown()
		}
	}
}

// watchDeleted answers a watcher who comes after the deletion.
func (s *Service) watchDeleted(ctx context.Context, req *sessionv1.WatchSessionRequest, stream grpc.ServerStreamingServer[sessionv1.WatchSessionResponse]) error {
	stone, err := s.store.Tombstone(ctx, callctx.Owner(ctx), req.GetSessionId())
	if err != nil {
		return failedFor(req.GetSessionId(), err)
	}
	if stone.Version <= req.GetAfterVersion() {
		return nil
	}
	return stream.Send(deleted(stone))
}

// deliver sends what is in the log and was not sent, and says whether that was
// the end.
func (s *Service) deliver(ctx context.Context, id string, w *watcher, stream grpc.ServerStreamingServer[sessionv1.WatchSessionResponse]) (over bool, err error) {
	for {
		changes, err := s.store.Changes(ctx, w.key, w.version.Load(), watchBatch)
		if err != nil {
			return false, failed(err)
		}
		// Read after the log, so that it is never older than a change. A
		// session that is gone takes its log with it.
		session, err := s.store.SessionByKey(ctx, w.key)
		if errors.Is(err, store.ErrNotFound) {
			return s.deliverDeletion(ctx, id, w.key, stream)
		}
		if err != nil {
			return false, failed(err)
		}
		stored, now := session.State, s.now()
		s.asOf(session, now)
		for _, change := range changes {
			messages, err := s.between(ctx, w.key, change)
			if errors.Is(err, store.ErrNotFound) {
				return s.deliverDeletion(ctx, id, w.key, stream)
			}
			if err != nil {
				return false, failed(err)
			}
			err = stream.Send(&sessionv1.WatchSessionResponse{
				Kind: sessionv1.WatchSessionResponse_Kind(change.Kind), Version: change.Version,
				Session: view(session, now), Messages: messages,
			})
			if err != nil {
				return false, err
			}
			w.version.Store(change.Version)
			if change.Kind == store.Finished {
				return true, nil
			}
		}
		switch {
		case len(changes) == watchBatch:
		case stored == store.Active && session.State == store.Expired:
			if err := s.expire(ctx, w.key, now); err != nil {
				return false, failed(err)
			}
		case stored != store.Active && w.version.Load() >= session.Version:
			return true, nil // it was over before, and the watcher knew
		default:
			return false, nil
		}
	}
}

func (s *Service) deliverDeletion(ctx context.Context, id string, key int64, stream grpc.ServerStreamingServer[sessionv1.WatchSessionResponse]) (bool, error) {
	stone, err := s.store.TombstoneByKey(ctx, key)
	if err != nil {
		return false, failedFor(id, err)
	}
	return true, stream.Send(deleted(stone))
}

func deleted(stone store.Tombstone) *sessionv1.WatchSessionResponse {
	return &sessionv1.WatchSessionResponse{
		Kind: sessionv1.WatchSessionResponse_KIND_DELETED, Version: stone.Version,
		Session: &sessionv1.Session{Id: stone.ID},
	}
}

// between returns the messages that a change added; ErrNotFound when they are
// no longer all there.
func (s *Service) between(ctx context.Context, key int64, change store.Change) ([]*conversationv1.Message, error) {
	if change.Last == 0 {
		return nil, nil
	}
	count := int(change.Last - change.First + 1)
	records, err := s.store.Messages(ctx, store.MessageQuery{Key: key, After: change.First - 1, Before: change.Last + 1, Limit: count})
	if err != nil {
		return nil, err
	}
	if len(records) != count {
		return nil, store.ErrNotFound
	}
	messages := make([]*conversationv1.Message, count)
	for i, record := range records {
		if messages[i], err = message.Decode(record); err != nil {
			return nil, err
		}
	}
	return messages, nil
}
