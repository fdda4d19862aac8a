package session

import (
	"context"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/session/internal/refuse"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"github.com/gptmesh/gptmesh/services/session/internal/update"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// UpdateSession changes fields of a session; see the contract and
// update.Apply. A request that makes no difference changes nothing, the
// version included.
func (s *Service) UpdateSession(ctx context.Context, req *sessionv1.UpdateSessionRequest) (*sessionv1.UpdateSessionResponse, error) {
	now, id := s.now(), req.GetSession().GetId()
	if id == "" {
		return nil, fault.InvalidField("session.id", "must be set")
	}
	paths, err := update.Paths(req)
	if err != nil {
		return nil, err
	}
	if err := s.checkFields(named(req.GetSession(), paths), now); err != nil {
		return nil, err
	}
	var session *store.Session
	changed := false
	err = s.write(ctx, func(ctx context.Context, tx store.Tx) error {
		held, err := s.hold(ctx, tx, id, now)
		if err != nil {
			return err
		}
		session = held
		if held.State != store.Active {
			return refuse.Ended(id, sessionv1.Session_State(held.State))
		}
		if want := req.GetExpectedVersion(); want != 0 && want != held.Version {
			return refuse.VersionConflict(want, held.Version)
		}
		var next *sessionv1.Session
		next, changed = update.Apply(view(held, now), req.GetSession(), paths, update.Defaults{
			IdleTimeout: durationpb.New(s.idleTimeout(nil)), ExpireTime: timestamppb.New(s.expireTime(nil, held.CreateTime)),
		})
		if !changed {
			return nil
		}
		if err := s.checkDetails(next); err != nil {
			return err
		}
		held.Title, held.Preferences, held.Metadata = next.GetTitle(), next.GetPreferences(), next.GetMetadata()
		held.IdleTimeout = s.idleTimeout(next.GetIdleTimeout())
		held.ExpireTime = s.expireTime(next.GetExpireTime(), held.CreateTime)
		held.UpdateTime = now
		held.Version++
		s.tellUpdated(ctx, held, store.Addition{})
		return tx.Save(ctx, held, store.Addition{Changes: []store.Change{{Version: held.Version, Kind: store.Updated}}})
	})
	if err != nil {
		return nil, failedFor(id, err)
	}
	if changed {
		s.watchers.notify(session.Key)
	}
	s.asOf(session, now)
	return &sessionv1.UpdateSessionResponse{Session: view(session, now)}, nil
}

// named returns the fields that a mask names: what it leaves out is not
// checked, since it is not used.
func named(values *sessionv1.Session, paths []string) *sessionv1.Session {
	fields := &sessionv1.Session{}
	for _, path := range paths {
		switch path {
		case "title":
			fields.Title = values.GetTitle()
		case "idle_timeout":
			fields.IdleTimeout = values.GetIdleTimeout()
		case "expire_time":
			fields.ExpireTime = values.GetExpireTime()
		case "preferences":
			fields.Preferences = values.GetPreferences()
		}
	}
	return fields
}
