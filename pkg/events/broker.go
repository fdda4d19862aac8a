package events

import (
	"context"
	"errors"
	"time"

	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
)

// Event is the envelope. Handlers must not change it.
type Event = eventv1.Event

// DeadLetter is an event that a group gave up.
type DeadLetter = eventv1.DeadLetter

// Handler handles one event. Its context ends when the subscription does, or
// the event should be left to another.
type Handler func(ctx context.Context, event *Event) error

// Reject wraps the error of a handler that will never handle this event, or of a
// broker that will never take it: it becomes a dead letter at once.
func Reject(err error) error { return &rejected{err} }

type rejected struct{ error }

func (r *rejected) Unwrap() error { return r.error }

// IsRejected says that the event will never be handled, or taken.
func IsRejected(err error) bool {
	var r *rejected
	return errors.As(err, &r)
}

// Defaults of [Subscription].
const (
	DefaultMaxAttempts = 5
	DefaultBackoff     = 100 * time.Millisecond
	maxBackoff         = 10 * time.Second
)

// Subscription says what a handler gets.
type Subscription struct {
	// Group names those that share the work: each event goes to one of them, and
	// the group's place is kept. 1 to 64 of a–z, A–Z, 0–9, "-", "_". Empty means
	// that this subscription alone gets every event from Start on, and that no
	// place is kept: an event that cannot be handled is logged and passed over.
	Group string
	// Subjects keep types that match one of them, see Match. Empty means all.
	Subjects []string
	// Start is where a group begins that is not known yet, or a subscription
	// without a group. Zero is behind the newest event.
	Start Start
	// MaxAttempts is how often an event is tried. Default DefaultMaxAttempts.
	MaxAttempts int
	// Backoff is the pause after the first failure; it doubles with each.
	// Default DefaultBackoff.
	Backoff time.Duration
}

// Start is a place in the log. Zero is behind the newest event; otherwise one
// field is set.
type Start struct {
	// Earliest is the beginning of what is kept.
	Earliest bool
	// Time is the first event at or after it.
	Time time.Time
	// AfterID is behind the event of this id.
	AfterID string
}

// Subscriber delivers events.
type Subscriber interface {
	// Subscribe calls handle for each event, one at a time, until ctx ends, and
	// then returns nil. It connects again by itself; an error is one that will
	// not pass.
	Subscribe(ctx context.Context, sub Subscription, handle Handler) error
}

// Broker keeps events and delivers them. It is safe for concurrent use.
type Broker interface {
	Subscriber

	// Publish hands events over in their order. The first taken of them are
	// durable; err says why the others are not, and is one of Reject where the
	// first of those will never be taken. The same event may be published again:
	// consumers see a repetition at the most.
	Publish(ctx context.Context, events []*Event) (taken int, err error)

	// DeadLetters returns at most limit dead letters with ids above after, the
	// oldest first; of one group, or of all where group is empty.
	DeadLetters(ctx context.Context, group, after string, limit int) ([]*DeadLetter, error)

	// Requeue delivers dead letters to their groups again and takes them off the
	// list; it returns how many were there.
	Requeue(ctx context.Context, ids []string) (int, error)

	// Discard removes dead letters and returns how many were there.
	Discard(ctx context.Context, ids []string) (int, error)

	// Close ends every subscription and gives up what the broker holds.
	Close() error
}

// ErrUnknownID says that a start names an event that is not kept.
var ErrUnknownID = errors.New("events: no event of this id is kept")
