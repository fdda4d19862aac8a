package session

import (
	"context"
	"strings"
	"time"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// settle makes a session expired when its time has come, and says whether it
// did. The values follow from the session alone, so that a reader who settles
// its own copy sees what the sweeper will write.
func settle(held *store.Session, now time.Time) bool {
	if held.State != store.Active || now.Before(held.ExpireTime) {
		return false
	}
	held.State, held.EndTime, held.UpdateTime = store.Expired, held.ExpireTime, held.ExpireTime
	held.Version++
	return true
}

// read returns the caller's session as of now.
func (s *Service) read(ctx context.Context, id string, now time.Time) (*store.Session, error) {
	if strings.IndexByte(id, 0) >= 0 {
		return nil, store.ErrNotFound // PostgreSQL takes no such text
	}
	session, err := s.store.Session(ctx, callctx.Owner(ctx), id)
	if err != nil {
		return nil, err
	}
	s.asOf(session, now)
	return session, nil
}

// asOf brings a session that was read up to now.
func (s *Service) asOf(session *store.Session, now time.Time) {
	if used := s.uses.last(session.Key); used.After(session.LastActiveTime) && session.State == store.Active {
		session.LastActiveTime = used
	}
	settle(session, now)
}

// hold returns the caller's session within a transaction, as of now.
func (s *Service) hold(ctx context.Context, tx store.Tx, id string, now time.Time) (*store.Session, error) {
	if strings.IndexByte(id, 0) >= 0 {
		return nil, store.ErrNotFound
	}
	held, err := tx.Session(ctx, callctx.Owner(ctx), id)
	if err != nil {
		return nil, err
	}
	settle(held, now)
	return held, nil
}

// view is a settled session as the contract has it.
func view(session *store.Session, now time.Time) *sessionv1.Session {
	v := &sessionv1.Session{
		Id: session.ID, UserId: session.UserID, Owner: session.Owner, Title: session.Title,
		State:       sessionv1.Session_State(session.State),
		Preferences: session.Preferences, Metadata: session.Metadata,
		CreateTime: timestamppb.New(session.CreateTime), UpdateTime: timestamppb.New(session.UpdateTime),
		LastActiveTime: timestamppb.New(session.LastActiveTime), IdleTimeout: durationpb.New(session.IdleTimeout),
		ExpireTime: timestamppb.New(session.ExpireTime),
		Version:    session.Version, MessageCount: session.MessageCount,
		ForkedFromSessionId: session.ForkedFromSession, ForkedFromMessageId: session.ForkedFromMessage,
	}
	if session.State == store.Active && !now.Before(session.LastActiveTime.Add(session.IdleTimeout)) {
		v.State = sessionv1.Session_STATE_IDLE
	}
	if !session.EndTime.IsZero() {
		v.EndTime = timestamppb.New(session.EndTime)
	}
	return v
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
