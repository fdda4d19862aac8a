package session

import (
	"bytes"
	"context"
	"errors"
	"time"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/services/session/internal/digest"
	"github.com/gptmesh/gptmesh/services/session/internal/refuse"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

const defaultUser = "default"

// CreateSession makes a session; see the contract.
func (s *Service) CreateSession(ctx context.Context, req *sessionv1.CreateSessionRequest) (*sessionv1.CreateSessionResponse, error) {
	now := s.now()
	userID := req.GetUserId()
	if userID == "" {
		userID = defaultUser
	}
	if err := fault.CheckTexts("user_id", userID); err != nil {
		return nil, err
	}
	if req.GetSession() != nil {
		if err := s.checkDetails(req.GetSession()); err != nil {
			return nil, err
		}
	}
	batch, err := s.prepare(req.GetMessages(), now)
	if err != nil {
		return nil, err
	}
	var mark []byte
	if req.GetSessionId() != "" {
		if mark, err = digest.Create(req, userID); err != nil {
			return nil, fault.InvalidField("session", "holds text that is not UTF-8")
		}
	}
	if err := s.checkFields(req.GetSession(), now); err != nil {
		if mark == nil {
			return nil, err
		}
		// What was right when the call was first made may have become wrong since,
		// such as an expire_time.
		present, found := s.repeated(ctx, req.GetSessionId(), mark, now)
		if present == nil && found == nil {
			return nil, err
		}
		return &sessionv1.CreateSessionResponse{Session: present}, found
	}

	id := req.GetSessionId()
	if id == "" {
		id = ids.At("ses", now)
	}
	var session *store.Session
	stored := 0 // -1 when the session was there
	err = s.write(ctx, func(ctx context.Context, tx store.Tx) error {
		fields := req.GetSession()
		session = &store.Session{
			ID: id, Owner: callctx.Owner(ctx), UserID: userID, Title: fields.GetTitle(), State: store.Active,
			Preferences: fields.GetPreferences(), Metadata: fields.GetMetadata(),
			CreateTime: now, UpdateTime: now, LastActiveTime: now,
			IdleTimeout: s.idleTimeout(fields.GetIdleTimeout()), ExpireTime: s.expireTime(fields.GetExpireTime(), now),
			Version: 1, RequestDigest: mark,
		}
		_, add, err := s.place(session, batch, nil, now)
		if err != nil {
			return err
		}
		stored = len(add.Messages)
		add.Changes = append([]store.Change{{Version: 1, Kind: store.Created}}, add.Changes...)
		if err = tx.Insert(ctx, session, add); errors.Is(err, store.ErrExists) {
			session, err = s.present(ctx, tx, id, mark, now)
			stored = -1
		} else if err == nil {
			s.tellCreated(ctx, session)
		}
		return err
	})
	if err != nil {
		return nil, failed(err)
	}
	if stored < 0 {
		s.asOf(session, now)
	} else {
		s.metrics.created.WithLabelValues("create").Inc()
		s.metrics.messages.WithLabelValues("stored").Add(float64(stored))
	}
	return &sessionv1.CreateSessionResponse{Session: view(session, now)}, nil
}

// repeated returns the caller's session of a chosen id if it was made by a
// request with the same mark, nil if there is none, and ALREADY_EXISTS if it
// was made by another.
func (s *Service) repeated(ctx context.Context, id string, mark []byte, now time.Time) (*sessionv1.Session, error) {
	session, err := s.read(ctx, id, now)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, failed(err)
	case !bytes.Equal(session.RequestDigest, mark):
		return nil, refuse.AlreadyExists(id)
	}
	return view(session, now), nil
}

// present is repeated for an id that turned out to be taken: within the
// transaction, since on SQLite the session may be of the same one, and is then
// seen by no other.
func (s *Service) present(ctx context.Context, tx store.Tx, id string, mark []byte, now time.Time) (*store.Session, error) {
	session, err := s.hold(ctx, tx, id, now)
	if errors.Is(err, store.ErrNotFound) || err == nil && !bytes.Equal(session.RequestDigest, mark) {
		return nil, refuse.AlreadyExists(id)
	}
	return session, err
}
