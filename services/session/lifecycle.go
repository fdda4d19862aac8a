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
	written := s.uses.flushes.Load()
	session, err := s.store.Session(ctx, callctx.Owner(ctx), id)
	if err != nil {
		return nil, err
	}
	s.asOf(session, now)
	if s.uses.flushes.Load()-written < 2 {
		return session, nil
	}
	// A use of before may be forgotten by now: what is not known here the store has.
	key, used := session.Key, s.uses.last(session.Key)
	if session, err = s.store.Session(ctx, callctx.Owner(ctx), id); err != nil {
		return nil, err
	}
	if session.Key == key && session.State == store.Active {
		session.LastActiveTime = later(used, session.LastActiveTime)
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
	made := new(struct { // in one piece
		session                                sessionv1.Session
		created, updated, used, expires, ended timestamppb.Timestamp
		idle                                   durationpb.Duration
	})
	v := &made.session
	v.Id, v.UserId, v.Owner, v.Title = session.ID, session.UserID, session.Owner, session.Title
	v.State = sessionv1.Session_State(session.State)
	v.Preferences, v.Metadata = session.Preferences, session.Metadata
	v.CreateTime, v.UpdateTime = stamp(&made.created, session.CreateTime), stamp(&made.updated, session.UpdateTime)
	v.LastActiveTime, v.ExpireTime = stamp(&made.used, session.LastActiveTime), stamp(&made.expires, session.ExpireTime)
	v.IdleTimeout = &made.idle
	v.IdleTimeout.Seconds, v.IdleTimeout.Nanos = int64(session.IdleTimeout/time.Second), int32(session.IdleTimeout%time.Second)
	v.Version, v.MessageCount = session.Version, session.MessageCount
	v.ForkedFromSessionId, v.ForkedFromMessageId = session.ForkedFromSession, session.ForkedFromMessage
	if session.State == store.Active && !now.Before(session.LastActiveTime.Add(session.IdleTimeout)) {
		v.State = sessionv1.Session_STATE_IDLE
	}
	if !session.EndTime.IsZero() {
		v.EndTime = stamp(&made.ended, session.EndTime)
	}
	return v
}

// stamp is timestamppb.New in memory that is there.
func stamp(at *timestamppb.Timestamp, t time.Time) *timestamppb.Timestamp {
	at.Seconds, at.Nanos = t.Unix(), int32(t.Nanosecond())
	return at
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
