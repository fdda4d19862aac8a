// Package store keeps sessions, their messages and the log of their changes.
// Its comments are the specification that package storetest holds both
// implementations to.
//
// A session has a key, a number that is never used twice, and an id, the name
// that clients see. An id can be used again after the session was deleted; the
// key tells the two apart. Messages of a session have positions 1, 2, 3 … with
// no gap; they are only ever added at the end. All times have microseconds and
// are UTC.
package store

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrNotFound says that there is no such session or tombstone of this
	// owner.
	ErrNotFound = errors.New("session store: not found")
	// ErrExists says that the id belongs to a session already.
	ErrExists = errors.New("session store: id exists")
	// ErrUnavailable says that the store cannot serve now: locked, full, out
	// of reach or closed. It wraps the driver's error.
	ErrUnavailable = errors.New("session store: unavailable")
)

// Store keeps sessions. It is safe for concurrent use. Errors are the three
// above, an error of the context, or unexpected.
type Store interface {
	// Write runs fn in a transaction and returns nil only after it is
	// committed. When fn returns an error nothing of it is kept and Write
	// returns that error. Where the database asks for it fn runs again, so it
	// must set anew whatever it leaves behind; it must not call Write and must
	// not keep the Tx. In a run that will not count, the Tx may return errors
	// that are none of the above.
	Write(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error

	// Session returns the owner's session of this id.
	Session(ctx context.Context, owner, id string) (*Session, error)
	// SessionByKey returns the session of this key, whoever owns it.
	SessionByKey(ctx context.Context, key int64) (*Session, error)
	// Sessions returns sessions, the last used first; among those last used
	// at the same time the one with the higher key first.
	Sessions(ctx context.Context, query SessionQuery) ([]*Session, error)
	// Messages returns messages in the order of their positions, or in the
	// opposite one; none when the session is not there.
	Messages(ctx context.Context, query MessageQuery) ([]*Message, error)
	// Changes returns the session's changes with a version above after, at
	// most limit, in the order of their versions; none when the session is
	// not there.
	Changes(ctx context.Context, key, after int64, limit int) ([]Change, error)
	// Versions returns the version of each session that is there.
	Versions(ctx context.Context, keys []int64) (map[int64]int64, error)

	// Tombstone returns the last deletion of a session of this id and owner.
	Tombstone(ctx context.Context, owner, id string) (Tombstone, error)
	// TombstoneByKey returns the deletion of the session of this key.
	TombstoneByKey(ctx context.Context, key int64) (Tombstone, error)
	// DropTombstones forgets deletions made before a time and returns how
	// many.
	DropTombstones(ctx context.Context, before time.Time) (int64, error)

	// Touch moves the LastActiveTime of active sessions forward, never back,
	// and changes nothing else. Sessions not there or not active are passed
	// over.
	Touch(ctx context.Context, uses []Use) error
	// Due returns the keys of active sessions whose ExpireTime is not after
	// now, the longest due first, at most limit.
	Due(ctx context.Context, now time.Time, limit int) ([]int64, error)
	// Ended returns the keys of sessions whose EndTime is before a time, the
	// earliest first, at most limit.
	Ended(ctx context.Context, before time.Time, limit int) ([]int64, error)

	// Ping returns nil when the store can serve.
	Ping(ctx context.Context) error
}

// Tx is a transaction. It sees its own changes. A session read through it is
// held: nobody else changes or deletes it before the transaction ends.
type Tx interface {
	// Session returns the owner's session of this id and holds it.
	Session(ctx context.Context, owner, id string) (*Session, error)
	// SessionByKey returns the session of this key and holds it.
	SessionByKey(ctx context.Context, key int64) (*Session, error)
	// MessagesByID returns those of the messages that are there, by id.
	MessagesByID(ctx context.Context, key int64, ids []string) (map[string]*Message, error)
	// MessageAt returns the message at a position.
	MessageAt(ctx context.Context, key, position int64) (*Message, error)
	// Insert adds a new session with its messages and changes, and sets
	// session.Key. ErrExists when the id is taken, by whatever owner; the
	// transaction can go on then.
	Insert(ctx context.Context, session *Session, write Addition) error
	// Save writes every field of a held session but Key, ID and Owner, and
	// adds messages and changes.
	Save(ctx context.Context, session *Session, write Addition) error
	// CopyMessages copies the messages up to and including a position into a
	// session that has none and of which only the CREATED change is logged,
	// and logs a change for each group of messages that came in one change
	// of the source, numbered on from to.Version without gaps. Copies keep
	// everything but their version. It writes MessageCount and Version of to,
	// in the store and in the struct. One group's messages are never divided
	// but by through.
	CopyMessages(ctx context.Context, from int64, through int64, to *Session) error
	// Delete removes a held session with its messages and changes, and leaves
	// a tombstone.
	Delete(ctx context.Context, session *Session, tombstone Tombstone) error
}
