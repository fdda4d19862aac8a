// Package response is the room that makes answers and keeps them: the ordered
// log of chunks, the finished answer, its usage.
//
// It is called by the request room (Generate) and by clients (the rest). It
// calls the gpt room for the model's answer and the session room to append to
// a conversation.
//
// # Promises
//
// An answer can be watched from any sequence number while it runs and after.
// The log of a running answer is in memory, bounded by max_answer_bytes;
// watchers read it at their own speed and never slow the answer. On a replica
// that does not make the answer, a watcher waits for its end and then reads the
// stored log.
//
// A stream ends with exactly one terminal event, unless it failed before its
// first chunk: then the call's status says why, and the log holds started and
// failed as its only chunk.
//
// What was acknowledged is committed. The row of an answer is committed beside
// the model call and before the first chunk goes out. The chunk with the
// terminal event is held back until the final row, its log and the intent to
// append to the session are committed in one transaction, and the session has
// taken the messages. Where the session room cannot serve, the intent stays and
// is carried out in the background, after a restart too; appending is
// idempotent, since every message has an id. Where the session has ended
// meanwhile, the answer stays completed and its row says so. That an intent is
// done is noted after the terminal chunk went out: doing it again changes
// nothing.
//
// Where the final row cannot be committed the answer ends with
// STORE_UNAVAILABLE, and the room goes on trying to store that it failed.
//
// # Raw answers
//
// A raw chunk is passed on as it is; the room adds the sequence number and
// fills in started. It is decoded only after the end, to assemble the message,
// or for a watcher who cannot take its wire. Post-processing works on typed
// events, so the gpt room is then asked for these.
//
// # Clients that leave
//
// With DISCONNECT_POLICY_CANCEL the answer runs on the caller's goroutine and
// ends with its call. With DRAIN or DETACH it runs on one of the room's, bounded
// by max_duration, and the caller is one watcher among others.
//
// # The cache
//
// With CachePolicy.ttl a completed answer is kept in memory, bounded by
// cache_max_bytes, under the hash of its owner, turn and post-processing. It is
// used for an equal turn whose ttl is not shorter than its age. Whether an
// answer that calls tools, or is sampled, may be used again is for whoever sets
// ttl.
//
// # An answer that is interrupted
//
// With the embedded store every answer found running at the start was left by
// a process that died. On PostgreSQL each process says every heartbeat_interval
// that it lives; answers of one not seen for dead_after become INTERRUPTED. Its
// log died with its process: a watcher gets a terminal event INTERRUPTED after
// whatever sequence number it has.
package response
