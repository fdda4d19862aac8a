// Package sessiontest is the session room for the tests of other rooms: the
// whole contract in memory.
//
//	fake := sessiontest.New()
//	sessions := sessionv1.LocalSessionService(fake, nil)
//
// It keeps the contract as the room does, and is held to it by the room's own
// tests, with these differences: there are no limits of size, lists come on one
// page, page tokens are refused, and a session expires when it is next looked
// at.
package sessiontest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/services/session/internal/refuse"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The defaults of the room.
const (
	idleTimeout = 30 * time.Minute
	lifetime    = 30 * 24 * time.Hour
)

// Fake is a session room in memory. It is safe for concurrent use.
type Fake struct {
	sessionv1.UnsafeSessionServiceServer // every RPC must be there

	clock func() time.Time

	mu      sync.Mutex
	entries map[string]*entry
	graves  map[string]*sessionv1.WatchSessionResponse // by owner and id
	faults  map[string][]error
	changed chan struct{} // closed and replaced at each change
}

var _ sessionv1.SessionServiceServer = (*Fake)(nil)

// entry is one session.
type entry struct {
	session  *sessionv1.Session
	messages []*conversationv1.Message
	log      []change
	digest   string
	gone     *sessionv1.WatchSessionResponse // once deleted
}

type change struct {
	kind    sessionv1.WatchSessionResponse_Kind
	version int64
}

// New returns an empty room that runs on time.Now.
func New() *Fake { return NewAt(time.Now) }

// NewAt returns an empty room with a clock of its own.
func NewAt(clock func() time.Time) *Fake {
	return &Fake{
		clock: clock, entries: map[string]*entry{}, graves: map[string]*sessionv1.WatchSessionResponse{},
		faults: map[string][]error{}, changed: make(chan struct{}),
	}
}

// Fail makes the next call of a method, "AppendMessages", fail with err. Given
// several times, it makes as many calls fail, in that order.
func (f *Fake) Fail(method string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[method] = append(f.faults[method], err)
}

// Messages returns the messages of a session, whoever owns it.
func (f *Fake) Messages(sessionID string) []*conversationv1.Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e := f.entries[sessionID]; e != nil {
		return clones(e.messages)
	}
	return nil
}

// enter locks the room for a call, or gives the error that Fail planned. The
// caller unlocks when there is none.
func (f *Fake) enter(method string) error {
	f.mu.Lock()
	if planned := f.faults[method]; len(planned) > 0 {
		f.faults[method] = planned[1:]
		f.mu.Unlock()
		return planned[0]
	}
	return nil
}

func (f *Fake) now() time.Time { return f.clock().UTC().Truncate(time.Microsecond) }

// find returns the caller's session as of now.
func (f *Fake) find(ctx context.Context, id string) (*entry, error) {
	e := f.entries[id]
	if e == nil || e.session.GetOwner() != callctx.Owner(ctx) {
		return nil, refuse.NotFound(id)
	}
	e.settle(f.now())
	return e, nil
}

// open is find for a session that must not have ended.
func (f *Fake) open(ctx context.Context, id string) (*entry, error) {
	e, err := f.find(ctx, id)
	if err == nil && e.over() {
		err = refuse.Ended(id, e.session.GetState())
	}
	return e, err
}

func (e *entry) over() bool {
	state := e.session.GetState()
	return state == sessionv1.Session_STATE_ENDED || state == sessionv1.Session_STATE_EXPIRED
}

// settle sets the state that follows from the time.
func (e *entry) settle(now time.Time) {
	s := e.session
	switch {
	case e.over():
	case !now.Before(s.GetExpireTime().AsTime()):
		e.finish(sessionv1.Session_STATE_EXPIRED, s.GetExpireTime().AsTime())
	case now.Before(s.GetLastActiveTime().AsTime().Add(s.GetIdleTimeout().AsDuration())):
		s.State = sessionv1.Session_STATE_ACTIVE
	default:
		s.State = sessionv1.Session_STATE_IDLE
	}
}

func (e *entry) finish(state sessionv1.Session_State, at time.Time) {
	e.session.State, e.session.EndTime = state, timestamppb.New(at)
	e.change(sessionv1.WatchSessionResponse_KIND_ENDED, at)
}

// change brings the next version.
func (e *entry) change(kind sessionv1.WatchSessionResponse_Kind, at time.Time) {
	e.session.Version++
	e.session.UpdateTime = timestamppb.New(at)
	e.log = append(e.log, change{kind: kind, version: e.session.GetVersion()})
}

// use marks activity.
func (e *entry) use(now time.Time) {
	e.session.LastActiveTime = timestamppb.New(now)
	e.settle(now)
}

func (f *Fake) announce() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// add makes a session of what the caller may set.
func (f *Fake) add(ctx context.Context, id string, fields *sessionv1.Session) *entry {
	now := f.now()
	e := &entry{session: &sessionv1.Session{
		Id: id, Owner: callctx.Owner(ctx), UserId: cmp.Or(fields.GetUserId(), "default"), Title: fields.GetTitle(),
		State: sessionv1.Session_STATE_ACTIVE, Preferences: proto.CloneOf(fields.GetPreferences()), Metadata: maps.Clone(fields.GetMetadata()),
		CreateTime: timestamppb.New(now), LastActiveTime: timestamppb.New(now),
		IdleTimeout: fields.GetIdleTimeout(), ExpireTime: fields.GetExpireTime(),
	}}
	if e.session.IdleTimeout == nil {
		e.session.IdleTimeout = durationpb.New(idleTimeout)
	}
	if e.session.ExpireTime == nil {
		e.session.ExpireTime = timestamppb.New(now.Add(lifetime))
	}
	if len(e.session.GetPreferences().GetFields()) == 0 {
		e.session.Preferences = nil
	}
	e.change(sessionv1.WatchSessionResponse_KIND_CREATED, now)
	f.entries[id] = e
	return e
}

// view is a session for a response.
func (e *entry) view() *sessionv1.Session { return proto.CloneOf(e.session) }

func clones(messages []*conversationv1.Message) []*conversationv1.Message {
	list := make([]*conversationv1.Message, len(messages))
	for i, m := range messages {
		list[i] = proto.CloneOf(m)
	}
	return list
}

// lastUsedFirst sorts as ListSessions does.
func lastUsedFirst(list []*sessionv1.Session) {
	slices.SortStableFunc(list, func(a, b *sessionv1.Session) int {
		return b.GetLastActiveTime().AsTime().Compare(a.GetLastActiveTime().AsTime())
	})
}
