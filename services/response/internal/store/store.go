// Package store is where answers are kept. The interface is the
// specification; storetest holds every implementation to it.
package store

import (
	"context"
	"errors"
	"time"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
)

var (
	// ErrNotFound: no such answer of this owner.
	ErrNotFound = errors.New("response store: not found")
	// ErrExists: the id is taken.
	ErrExists = errors.New("response store: id is taken")
	// ErrNotRunning: the answer is not there, or in a final state already.
	ErrNotRunning = errors.New("response store: not running")
	// ErrRunning: the answer is running and cannot be removed.
	ErrRunning = errors.New("response store: running")
)

// Store keeps answers and their logs. It is safe for concurrent use. Every
// method that changes something returns nil only after the commit. Errors
// other than those above come from the database.
type Store interface {
	// Begin adds an answer in state RUNNING, made by instance. ErrExists where
	// the id is taken, by whomever.
	Begin(ctx context.Context, response *responsev1.Response, instance string) error

	// Finish makes a running answer final: its state, the log and the intent to
	// append to the session, all or nothing. ErrNotRunning where it is not
	// running any more, or is another one, see Final.BegunBy: whoever finishes first
	// wins.
	Finish(ctx context.Context, final Final) error

	// Add adds an answer that is final already, made by instance, with what Finish
	// stores. ErrExists where the id is taken, by whomever.
	Add(ctx context.Context, final Final, instance string) error

	// Journal adds pieces to the logs of running answers, all or nothing. A piece
	// of an answer that is not running is passed over; one that begins where a
	// stored one begins takes its place. Pieces are removed when their answer
	// becomes final. Nothing of the pieces is kept.
	Journal(ctx context.Context, pieces []Piece) error

	// Follow says whether an answer is running and returns, as of the same moment,
	// the frames of its pieces that end after a sequence number, in order: the
	// first may begin before it. Of a final answer it returns no frames: these are
	// in Log. ErrNotFound.
	Follow(ctx context.Context, owner, id string, after int64) (running bool, frames []byte, err error)

	// Get returns an answer with everything; ErrNotFound.
	Get(ctx context.Context, owner, id string) (Record, error)

	// Log returns the stored frames of an answer, see answerlog; empty where
	// none were stored. It does not ask for the owner.
	Log(ctx context.Context, id string) ([]byte, error)

	// List returns at most limit answers after the cursor, newest first by
	// create time and id, without the messages of choices.
	List(ctx context.Context, filter Filter, limit int) ([]*responsev1.Response, error)

	// Delete removes an answer that is final, with its log. ErrNotFound, or
	// ErrRunning. Its intent to append to the session goes with it.
	Delete(ctx context.Context, owner, id string) error

	// RequestCancel notes that a running answer should be ended by the instance
	// that makes it. ErrNotFound; a final answer stays as it is.
	RequestCancel(ctx context.Context, owner, id string) error

	// CancelRequested returns the running answers of instance that should end.
	CancelRequested(ctx context.Context, instance string) ([]string, error)

	// Pending returns at most limit intents that were stored before the given
	// time and are not settled, oldest first.
	Pending(ctx context.Context, before time.Time, limit int) ([]Intent, error)

	// Settle removes the intents of these answers; note, where not empty, says
	// for people why the session did not take the messages. Answers that are
	// not there are passed over.
	Settle(ctx context.Context, ids []string, note string) error

	// Now is the time by which heartbeats are compared: the database's where several
	// processes, whose clocks may differ, share it.
	Now(ctx context.Context) (time.Time, error)

	// Heartbeat says that instance lives as of now, and removes instances not
	// seen since deadBefore.
	Heartbeat(ctx context.Context, instance string, now, deadBefore time.Time) error

	// Orphans returns the answers that Interrupt would make final, without what was
	// journaled of them.
	Orphans(ctx context.Context, sweep Sweep) ([]*responsev1.Response, error)

	// Interrupt makes final every answer that runs on an instance that has not
	// been seen since deadBefore: INTERRUPTED, finished now, as sweep.End makes it
	// of what was journaled. except is an instance that is never dead. At most
	// limit; it returns how many.
	Interrupt(ctx context.Context, sweep Sweep) (int, error)

	// Tidy removes pieces of answers that are not running: a piece whose write was
	// not acknowledged may come behind the end of its answer. At most limit; it
	// returns how many.
	Tidy(ctx context.Context, limit int) (int, error)

	// Expire removes final answers begun before a time, oldest first, with their
	// logs. Answers whose intent is not settled stay. At most limit answers; it returns how many.
	Expire(ctx context.Context, before time.Time, limit int) (int, error)

	// Ping says whether the store can serve.
	Ping(ctx context.Context) error
}

// Record is one answer as stored.
type Record struct {
	// Response is the answer.
	Response *responsev1.Response
	// Instance is the process that made it, or makes it.
	Instance string
	// SessionNote says why the session did not take the messages.
	SessionNote string
}

// Final is the end of an answer.
type Final struct {
	// Response is the answer in its final state.
	Response *responsev1.Response
	// Log is all its chunks as frames. May be empty.
	Log []byte
	// Stored is the log in its stored form, in the place of Log: see PlainLog and
	// Runs. The store keeps it, unless it is borrowed.
	Stored []byte
	// Texts and TextsEnd are where in Stored the texts of events stand one behind the
	// other, as these have them; the same for nowhere. Verbatim says that they are what the
	// events say, and no strings of JSON.
	Texts, TextsEnd int
	Verbatim        bool
	// Borrowed says that Stored may change when the store has said that it is kept.
	Borrowed bool
	// Intent is the marshalled AppendMessagesRequest to the session. Empty
	// means none. The store keeps it, unless it is borrowed.
	Intent []byte
	// IntentBorrowed says that Intent may change when the store has said that it is
	// kept.
	IntentBorrowed bool
	// Journaled says that pieces of the log may have been stored, which Log now
	// takes the place of.
	Journaled bool
	// BegunBy is the instance that must have begun the row, for this owner and request
	// and at this create time. Empty where the row is known to be this answer's.
	BegunBy string
}

// Unstored hands pieces of running answers to take, whose frames are lent: all that
// Journal was given and that lies in no table yet, and maybe more that follows. done is
// to be called when they lie there, or do not after all. It is safe for concurrent use
// with itself and with Journal, and uses no store.
type Unstored func(take func(Piece)) (done func(stored bool))

// Piece is a run of consecutive chunks of a running answer.
type Piece struct {
	// ResponseID is the answer.
	ResponseID string
	// First and Last are the sequence numbers of the piece's ends.
	First, Last int64
	// Frames are the chunks, see answerlog.
	Frames []byte
}

// Intent is an append to a session that is not known to be done.
type Intent struct {
	// ResponseID is the answer.
	ResponseID string
	// Owner is the principal to act for.
	Owner string
	// Request is the marshalled AppendMessagesRequest.
	Request []byte
}

// Filter selects answers.
type Filter struct {
	// Owner is required.
	Owner string
	// SessionID keeps one session. Empty means all.
	SessionID string
	// States keeps these states. Empty means all.
	States []responsev1.Response_State
	// After and Before keep create times in [After, Before). Zero means open.
	After, Before time.Time
	// Cursor continues after an answer; see CursorOf. Zero starts anew.
	Cursor Cursor
}

// Cursor is a place in a list.
type Cursor struct {
	// Micros is the create time of the last answer seen.
	Micros int64
	// ID is its id. Empty means the start.
	ID string
}

// Sweep says which answers were left by dead instances.
type Sweep struct {
	// DeadBefore is the time since which an instance must have been seen.
	DeadBefore time.Time
	// Except is never dead.
	Except string
	// All takes every instance but Except for dead, whatever was seen of it:
	// for a store that one process owns.
	All bool
	// Of are the answers that are meant, by id, where there are any. Empty means all.
	Of []string
	// Now is the finish time.
	Now time.Time
	// Limit bounds one call.
	Limit int
	// End fills in why, and what frames hold of the answer: all that was
	// journaled. It returns the frames of the log to be stored.
	End func(r *responsev1.Response, frames []byte) (log []byte)
}
