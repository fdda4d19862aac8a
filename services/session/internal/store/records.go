package store

import (
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"google.golang.org/protobuf/types/known/structpb"
)

// State is how a session is kept: idle is not a state of its own here, since
// it follows from LastActiveTime and IdleTimeout. The numbers are those of the
// contract and stand in the tables.
type State int16

// The states.
const (
	Active  = State(sessionv1.Session_STATE_ACTIVE)
	Ended   = State(sessionv1.Session_STATE_ENDED)
	Expired = State(sessionv1.Session_STATE_EXPIRED)
)

// Session is one session as it is kept.
type Session struct {
	// Key is set by Insert.
	Key int64
	// ID, Owner and UserID never change.
	ID, Owner, UserID string
	Title             string
	State             State
	// Preferences and Metadata may be nil, which is the same as empty.
	Preferences *structpb.Struct
	Metadata    map[string]string
	CreateTime  time.Time
	UpdateTime  time.Time
	// LastActiveTime is when it was last used.
	LastActiveTime time.Time
	// IdleTimeout is positive and has whole microseconds.
	IdleTimeout time.Duration
	ExpireTime  time.Time
	// EndTime is zero while the session is active.
	EndTime time.Time
	// Version counts the changes, from 1.
	Version int64
	// MessageCount is also the position of the last message.
	MessageCount int64
	// ForkedFromSession and ForkedFromMessage are ids; empty without a fork.
	ForkedFromSession, ForkedFromMessage string
	// RequestDigest tells whether a repeated request for this id is the same.
	RequestDigest []byte
}

// Message is one message as it is kept.
type Message struct {
	// Position counts the session's messages from 1.
	Position int64
	// ID is unique within the session.
	ID string
	// Role is the number of the contract's role.
	Role int16
	// Version is the session's version that the message brought.
	Version    int64
	CreateTime time.Time
	// Tokens is the room's estimate.
	Tokens int64
	// Body is the contract's Message without what the other fields hold but
	// id and role.
	Body []byte
}

// Kind is what a change was. The numbers are those of the contract.
type Kind int16

// The kinds that are logged. A deletion is a Tombstone instead.
const (
	Created  = Kind(sessionv1.WatchSessionResponse_KIND_CREATED)
	Updated  = Kind(sessionv1.WatchSessionResponse_KIND_UPDATED)
	Appended = Kind(sessionv1.WatchSessionResponse_KIND_MESSAGES_APPENDED)
	Finished = Kind(sessionv1.WatchSessionResponse_KIND_ENDED)
)

// Change is one entry of a session's log.
type Change struct {
	// Version is the session's version that the change brought.
	Version int64
	Kind    Kind
	// First and Last are the positions of added messages; 0 without any.
	First, Last int64
}

// Addition is what a write adds to a session.
type Addition struct {
	Messages []*Message
	Changes  []Change
}

// Tombstone is what is left of a deleted session.
type Tombstone struct {
	Key       int64
	ID, Owner string
	// Version is the one that the deletion brought.
	Version    int64
	DeleteTime time.Time
}

// Use says that a session was used.
type Use struct {
	Key int64
	At  time.Time
}

// SessionQuery selects sessions of one owner.
type SessionQuery struct {
	Owner string
	// UserID keeps sessions of one user; empty means all.
	UserID string
	// States keeps sessions that are in one of these states at Now; empty
	// means all.
	States []sessionv1.Session_State
	// Now decides what is idle or expired.
	Now time.Time
	// Before keeps sessions that come after this place in the list; the zero
	// value keeps all.
	Before Place
	Limit  int
}

// Place is a session's place in the list of sessions.
type Place struct {
	LastActiveTime time.Time
	Key            int64
}

// MessageQuery selects messages of one session.
type MessageQuery struct {
	Key int64
	// After and Before keep positions strictly between them; Before 0 means
	// no upper end.
	After, Before int64
	// System keeps system messages alone; NotSystem keeps the others.
	System, NotSystem bool
	// NewestFirst turns the order round.
	NewestFirst bool
	Limit       int
}

// Has says whether the query selects a message of its session, its Limit aside.
func (q MessageQuery) Has(m *Message) bool {
	system := m.Role == int16(conversationv1.Role_ROLE_SYSTEM)
	return m.Position > q.After && (q.Before == 0 || m.Position < q.Before) && !(q.System && !system) && !(q.NotSystem && system)
}
