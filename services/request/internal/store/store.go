// Package store is where requests are kept. The interface is the
// specification; storetest holds every implementation to it.
package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/durable"
	"google.golang.org/protobuf/proto"
)

var (
	// ErrNotFound: no such request of this owner.
	ErrNotFound = errors.New("request store: not found")
	// ErrKeyTaken: the idempotency key belongs to another request.
	ErrKeyTaken = errors.New("request store: idempotency key is taken")
	// ErrFinal: the request is not there, or in a final state already.
	ErrFinal = errors.New("request store: final")
)

// Store keeps requests and idempotency keys. It is safe for concurrent use.
// Every method that changes something returns nil only after the commit. Errors
// other than those above come from the database.
type Store interface {
	// Accept adds a request in state ACCEPTED, handled by instance. With a key
	// both are added, or ErrKeyTaken: of any number of concurrent calls with one
	// key, one succeeds.
	Accept(ctx context.Context, request *requestv1.Request, instance string, key *Key) error

	// Add adds a request that is final already, handled by instance. ErrFinal
	// where it is there. answered is as for Finish.
	Add(ctx context.Context, request *requestv1.Request, instance string, answered bool) error

	// Finish makes a request final. ErrFinal where it is final already, or not
	// there: whoever finishes first wins. answered says that its client may have
	// seen a part of the answer.
	Finish(ctx context.Context, request *requestv1.Request, answered bool) error

	// NoteGuard adds what the guard said to a request that is final, and was stored
	// without a report. One that is not there is passed over.
	NoteGuard(ctx context.Context, id string, report *conversationv1.GuardReport) error

	// Get returns a request; ErrNotFound.
	Get(ctx context.Context, owner, id string) (Record, error)

	// ByKey returns the request that holds an idempotency key which has not
	// expired; ErrNotFound.
	ByKey(ctx context.Context, owner, key string, now time.Time) (Record, error)

	// List returns at most limit requests after the cursor, newest first by
	// create time and id.
	List(ctx context.Context, filter Filter, limit int) ([]*requestv1.Request, error)

	// Now is the time by which heartbeats are compared: the database's where several
	// processes, whose clocks may differ, share it.
	Now(ctx context.Context) (time.Time, error)

	// Heartbeat says that instance lives as of now, and removes instances not
	// seen since deadBefore.
	Heartbeat(ctx context.Context, instance string, now, deadBefore time.Time) error

	// Orphans returns at most limit requests that are not final and whose
	// instance is not except and has not been seen since deadBefore; with all,
	// whatever was seen of it.
	Orphans(ctx context.Context, except string, deadBefore time.Time, all bool, limit int) ([]*requestv1.Request, error)

	// DropKeys removes keys that expired before now.
	DropKeys(ctx context.Context, now time.Time) error

	// Expire removes final requests accepted before a time, oldest first. At most
	// limit; it returns how many.
	Expire(ctx context.Context, before time.Time, limit int) (int, error)

	// Ping says whether the store can serve.
	Ping(ctx context.Context) error
}

// Deferring is a Store that adds requests without waiting for a commit.
type Deferring interface {
	Store

	// AcceptLater is Accept without a key, but that the caller waits by himself for
	// what it returns. The request is in order when it returns, and may be finished;
	// nothing of it is kept.
	AcceptLater(ctx context.Context, request *requestv1.Request, instance string) (durable.Write, error)
}

// Key is an idempotency key to be bound to a request.
type Key struct {
	// Key is the client's.
	Key string
	// Hash is of what was asked.
	Hash []byte
	// Expires is until when the key is kept.
	Expires time.Time
	// Now decides whether an earlier holder has expired.
	Now time.Time
	// Replaces is the request that may lose the key to this one. Empty means
	// none.
	Replaces string
}

// Record is one request as stored.
type Record struct {
	// Request is the request.
	Request *requestv1.Request
	// Answered says that its client may have seen a part of the answer.
	Answered bool
	// Hash is of what was asked; with ByKey only.
	Hash []byte
}

// Filter selects requests.
type Filter struct {
	// Owner is required.
	Owner string
	// UserID and SessionID keep one user or session. Empty means all.
	UserID, SessionID string
	// States keeps these states. Empty means all.
	States []requestv1.Request_State
	// After and Before keep create times in [After, Before). Zero means open.
	After, Before time.Time
	// Cursor continues after a request. Zero starts anew.
	Cursor Cursor
}

// Cursor is a place in a list.
type Cursor struct {
	// Micros is the create time of the last request seen.
	Micros int64
	// ID is its id. Empty means the start.
	ID string
}

// Micros is t as stored: microseconds since 1970.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// CursorOf is the place of r in a list.
func CursorOf(r *requestv1.Request) Cursor {
	return Cursor{Micros: Micros(r.GetCreateTime().AsTime()), ID: r.GetId()}
}

// String is the cursor for a page token.
func (c Cursor) String() string { return strconv.FormatInt(c.Micros, 10) + "/" + c.ID }

// ParseCursor reads what String wrote; false for anything else.
func ParseCursor(text string) (Cursor, bool) {
	micros, id, ok := strings.Cut(text, "/")
	n, err := strconv.ParseInt(micros, 10, 64)
	return Cursor{Micros: n, ID: id}, ok && err == nil && id != ""
}

// GuardPart is what is appended to a stored request to give it a report: the encoding of
// two messages, one behind the other, is that of both merged.
func GuardPart(report *conversationv1.GuardReport) ([]byte, error) {
	return proto.Marshal(&requestv1.Request{Guard: report})
}

// Decode reads a stored request.
func Decode(body []byte) (*requestv1.Request, error) {
	r := new(requestv1.Request)
	if err := proto.Unmarshal(body, r); err != nil {
		return nil, fmt.Errorf("stored request: %w", err)
	}
	return r, nil
}

// Where builds the condition of a list for one database: mark returns the
// n-th placeholder, from 1.
func (f Filter) Where(mark func(n int) string) (condition string, args []any) {
	var terms []string
	add := func(term string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			term = strings.Replace(term, "?", mark(len(args)), 1)
		}
		terms = append(terms, term)
	}
	add("owner = ?", f.Owner)
	if f.UserID != "" {
		// The second term lets SQLite take the index of those that have one.
		add("user_id = ? and user_id <> ''", f.UserID)
	}
	if f.SessionID != "" {
		add("session_id = ? and session_id <> ''", f.SessionID)
	}
	if len(f.States) > 0 {
		marks := make([]string, len(f.States))
		values := make([]any, len(f.States))
		for i, state := range f.States {
			marks[i], values[i] = "?", int32(state)
		}
		add("state in ("+strings.Join(marks, ", ")+")", values...)
	}
	if !f.After.IsZero() {
		add("create_micros >= ?", Micros(f.After))
	}
	if !f.Before.IsZero() {
		add("create_micros < ?", Micros(f.Before))
	}
	if f.Cursor.ID != "" {
		add("(create_micros, id) < (?, ?)", f.Cursor.Micros, f.Cursor.ID)
	}
	return strings.Join(terms, " and "), args
}
