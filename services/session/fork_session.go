package session

import (
	"context"
	"errors"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/services/session/internal/digest"
	"github.com/gptmesh/gptmesh/services/session/internal/refuse"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

// ForkSession copies a session; see the contract. The fork takes over user,
// preferences, metadata and idle_timeout, and lives for the default lifetime.
// With a chosen id it is idempotent as CreateSession is: a repeated call
// returns the fork as it is, whatever became of the source.
func (s *Service) ForkSession(ctx context.Context, req *sessionv1.ForkSessionRequest) (*sessionv1.ForkSessionResponse, error) {
	now, id := s.now(), req.GetNewSessionId()
	if err := fault.CheckTexts("title", req.GetTitle()); err != nil {
		return nil, err
	}
	if err := fault.CheckTexts("message_id", req.GetMessageId()); err != nil {
		return nil, err
	}
	var mark []byte
	if id == "" {
		id = ids.At("ses", now)
	} else {
		var err error
		if mark, err = digest.Fork(req); err != nil {
			return nil, fault.InvalidField("session_id", "must be UTF-8")
		}
		if present, err := s.repeated(ctx, id, mark, now); present != nil || err != nil {
			return &sessionv1.ForkSessionResponse{Session: present}, err
		}
	}
	var fork *store.Session
	taken := false // the id, by a call at the same time
	err := s.write(ctx, func(ctx context.Context, tx store.Tx) error {
		source, err := s.hold(ctx, tx, req.GetSessionId(), now)
		if err != nil {
			return err
		}
		last, err := s.lastMessage(ctx, tx, source, req.GetMessageId())
		if err != nil {
			return err
		}
		fork = &store.Session{
			ID: id, Owner: callctx.Owner(ctx), UserID: source.UserID, Title: source.Title, State: store.Active,
			Preferences: source.Preferences, Metadata: source.Metadata,
			CreateTime: now, UpdateTime: now, LastActiveTime: now,
			IdleTimeout: source.IdleTimeout, ExpireTime: s.expireTime(nil, now), Version: 1,
			ForkedFromSession: source.ID, ForkedFromMessage: last.ID, RequestDigest: mark,
		}
		if req.GetTitle() != "" {
			fork.Title = req.GetTitle()
		}
		created := store.Addition{Changes: []store.Change{{Version: 1, Kind: store.Created}}}
		err = tx.Insert(ctx, fork, created)
		if taken = errors.Is(err, store.ErrExists); taken {
			fork, err = s.present(ctx, tx, id, mark, now)
			return err
		}
		if err == nil && last.Position > 0 {
			err = tx.CopyMessages(ctx, source.Key, last.Position, fork)
		}
		if err == nil {
			s.tellCreated(ctx, fork)
		}
		return err
	})
	if err != nil {
		return nil, failedFor(req.GetSessionId(), err)
	}
	if taken {
		s.asOf(fork, now)
	} else {
		s.metrics.created.WithLabelValues("fork").Inc()
	}
	return &sessionv1.ForkSessionResponse{Session: view(fork, now)}, nil
}

// lastMessage returns the message of an id, or the last one without an id. A
// session without messages has a zero message at its end.
func (s *Service) lastMessage(ctx context.Context, tx store.Tx, source *store.Session, id string) (*store.Message, error) {
	if id != "" {
		found, err := tx.MessagesByID(ctx, source.Key, []string{id})
		if err != nil {
			return nil, err
		}
		if found[id] == nil {
			return nil, refuse.MessageNotFound(id)
		}
		return found[id], nil
	}
	if source.MessageCount == 0 {
		return &store.Message{}, nil
	}
	return tx.MessageAt(ctx, source.Key, source.MessageCount)
}
