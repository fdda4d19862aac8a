// Package session is the room that keeps conversations: their messages, their
// state, preferences and place in time.
//
// It is called by clients, the request room (GetContext) and the response room
// (AppendMessages), and calls no other room. What it promises:
//
//   - What was acknowledged is committed.
//   - Messages of a session have one order. Appending is all or nothing, and a
//     message id is stored once however often and by however many callers at
//     once it is sent.
//   - Every change brings the next version and stands in a log, from which
//     WatchSession replays before it goes on live; nothing is lost between the
//     two, whichever replica made the change.
//   - A caller sees only what its own principal made.
//
// Idle and expired follow from the clock: a session reads as expired the moment
// its time has come, and a sweeper writes it down, with the very values that
// readers saw before. GetContext counts as activity but does not wait for a
// write: the use is seen by this process at once, by others within a
// tenth of a second, and may be lost with the process, which moves nothing but
// last_active_time.
//
// The id of a deleted session can be used again at once, by whoever comes
// first. Watchers of the old session get KIND_DELETED and never a change of the
// new one. A watcher that comes after the deletion and before the id is used
// again gets the deletion alone, as long as its tombstone is kept
// (Config.TombstoneRetention).
//
// A session made with messages has version 2: its making, then the append. A
// fork numbers the appends that it takes over anew, from version 2; the copies
// keep their ids and times.
package session
