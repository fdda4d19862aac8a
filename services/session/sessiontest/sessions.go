package sessiontest

import (
	"cmp"
	"context"
	"slices"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/services/session/internal/digest"
	"github.com/gptmesh/gptmesh/services/session/internal/refuse"
	"github.com/gptmesh/gptmesh/services/session/internal/update"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// CreateSession implements the contract.
func (f *Fake) CreateSession(ctx context.Context, req *sessionv1.CreateSessionRequest) (*sessionv1.CreateSessionResponse, error) {
	if err := f.enter("CreateSession"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	if err := check(req.GetMessages()); err != nil {
		return nil, err
	}
	mark, err := digest.Create(req, cmp.Or(req.GetUserId(), "default"))
	if err != nil {
		return nil, fault.InvalidField("session", "holds text that is not UTF-8")
	}
	id := req.GetSessionId()
	if id == "" {
		id = ids.New("ses")
	} else if e := f.entries[id]; e != nil {
		if e.session.GetOwner() != callctx.Owner(ctx) || e.digest != string(mark) {
			return nil, refuse.AlreadyExists(id)
		}
		e.settle(f.now())
		return &sessionv1.CreateSessionResponse{Session: e.view()}, nil
	}
	fields := &sessionv1.Session{}
	if req.GetSession() != nil {
		fields = proto.CloneOf(req.GetSession())
	}
	fields.UserId = req.GetUserId()
	e := f.add(ctx, id, fields)
	e.digest = string(mark)
	e.append(req.GetMessages(), f.now())
	return &sessionv1.CreateSessionResponse{Session: e.view()}, nil
}

// GetSession implements the contract.
func (f *Fake) GetSession(ctx context.Context, req *sessionv1.GetSessionRequest) (*sessionv1.GetSessionResponse, error) {
	if err := f.enter("GetSession"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	e, err := f.find(ctx, req.GetSessionId())
	if err != nil {
		return nil, err
	}
	return &sessionv1.GetSessionResponse{Session: e.view()}, nil
}

// ListSessions implements the contract, on one page.
func (f *Fake) ListSessions(ctx context.Context, req *sessionv1.ListSessionsRequest) (*sessionv1.ListSessionsResponse, error) {
	if err := f.enter("ListSessions"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	if req.GetPageToken() != "" {
		return nil, fault.InvalidField("page_token", "the fake has one page")
	}
	resp := &sessionv1.ListSessionsResponse{}
	for _, e := range f.entries {
		e.settle(f.now())
		s := e.session
		if s.GetOwner() == callctx.Owner(ctx) && (req.GetUserId() == "" || req.GetUserId() == s.GetUserId()) &&
			(len(req.GetStates()) == 0 || slices.Contains(req.GetStates(), s.GetState())) {
			resp.Sessions = append(resp.Sessions, e.view())
		}
	}
	lastUsedFirst(resp.Sessions)
	return resp, nil
}

// UpdateSession implements the contract.
func (f *Fake) UpdateSession(ctx context.Context, req *sessionv1.UpdateSessionRequest) (*sessionv1.UpdateSessionResponse, error) {
	if err := f.enter("UpdateSession"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	paths, err := update.Paths(req)
	if err != nil {
		return nil, err
	}
	e, err := f.open(ctx, req.GetSession().GetId())
	if err != nil {
		return nil, err
	}
	if want := req.GetExpectedVersion(); want != 0 && want != e.session.GetVersion() {
		return nil, refuse.VersionConflict(want, e.session.GetVersion())
	}
	next, changed := update.Apply(e.session, req.GetSession(), paths, update.Defaults{
		IdleTimeout: durationpb.New(idleTimeout), ExpireTime: timestamppb.New(e.session.GetCreateTime().AsTime().Add(lifetime)),
	})
	if changed {
		e.session = proto.CloneOf(next)
		e.change(sessionv1.WatchSessionResponse_KIND_UPDATED, f.now())
		e.settle(f.now())
		f.announce()
	}
	return &sessionv1.UpdateSessionResponse{Session: e.view()}, nil
}

// EndSession implements the contract.
func (f *Fake) EndSession(ctx context.Context, req *sessionv1.EndSessionRequest) (*sessionv1.EndSessionResponse, error) {
	if err := f.enter("EndSession"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	e, err := f.find(ctx, req.GetSessionId())
	if err != nil {
		return nil, err
	}
	if !e.over() {
		e.finish(sessionv1.Session_STATE_ENDED, f.now())
		f.announce()
	}
	return &sessionv1.EndSessionResponse{Session: e.view()}, nil
}

// DeleteSession implements the contract.
func (f *Fake) DeleteSession(ctx context.Context, req *sessionv1.DeleteSessionRequest) (*sessionv1.DeleteSessionResponse, error) {
	if err := f.enter("DeleteSession"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	id := req.GetSessionId()
	e, err := f.find(ctx, id)
	if err != nil {
		return nil, err
	}
	delete(f.entries, id)
	e.gone = &sessionv1.WatchSessionResponse{
		Kind: sessionv1.WatchSessionResponse_KIND_DELETED, Version: e.session.GetVersion() + 1, Session: &sessionv1.Session{Id: id},
	}
	f.graves[callctx.Owner(ctx)+"\x00"+id] = e.gone
	f.announce()
	return &sessionv1.DeleteSessionResponse{}, nil
}

// ForkSession implements the contract.
func (f *Fake) ForkSession(ctx context.Context, req *sessionv1.ForkSessionRequest) (*sessionv1.ForkSessionResponse, error) {
	if err := f.enter("ForkSession"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	mark, err := digest.Fork(req)
	if err != nil {
		return nil, fault.InvalidField("session_id", "must be UTF-8")
	}
	id := req.GetNewSessionId()
	if id == "" {
		id = ids.New("ses")
	} else if e := f.entries[id]; e != nil {
		if e.session.GetOwner() != callctx.Owner(ctx) || e.digest != string(mark) {
			return nil, refuse.AlreadyExists(id)
		}
		return &sessionv1.ForkSessionResponse{Session: e.view()}, nil
	}
	source, err := f.find(ctx, req.GetSessionId())
	if err != nil {
		return nil, err
	}
	taken := source.messages
	if req.GetMessageId() != "" {
		at := source.index(req.GetMessageId())
		if at < 0 {
			return nil, refuse.MessageNotFound(req.GetMessageId())
		}
		taken = taken[:at+1]
	}
	fields := source.view()
	fields.ExpireTime = nil
	if req.GetTitle() != "" {
		fields.Title = req.GetTitle()
	}
	e := f.add(ctx, id, fields)
	e.digest = string(mark)
	e.session.ForkedFromSessionId = req.GetSessionId()
	if len(taken) > 0 {
		e.session.ForkedFromMessageId = taken[len(taken)-1].GetId()
	}
	e.copy(taken, f.now())
	return &sessionv1.ForkSessionResponse{Session: e.view()}, nil
}
