// Package response is the room that makes answers and keeps them: the ordered
// log of chunks, the finished answer, its usage.
//
// It is called by the request room (Generate) and by clients (the rest). It
// calls the gpt room for the model's answer and the session room to append to
// a conversation.
//
// # Promises
//
// An answer can be watched from any sequence number, from any process on its
// store, while it runs and after. The log of a running answer is in memory,
// bounded by max_answer_bytes; watchers read it at their own speed and never
// slow the answer. Every journal_interval what it has brought is stored as a
// piece of the journal, beside the token path: no chunk waits for that, and a
// store that is slow or away makes the journal fall behind, nothing else. Where so
// many run that this were more than journal_rate pieces a second, the interval is
// longer. Answers that end sooner are not journaled. In a process that does not
// make the answer, a watcher follows the journal and then the stored log: it is
// behind by at most that interval, a commit and watch_poll_interval, and by a fifth
// of the last while the answer grows. The end of an answer takes the place of its journal.
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
// STORE_UNAVAILABLE for its caller, and the room goes on trying to store it: the
// provider was paid, and whoever asks again gets what it gave.
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
// that it lives; answers of one not seen for dead_after become INTERRUPTED. The
// row holds what was journaled of the choices, and what the gpt room's ledger has of
// its usage; the log what was journaled and a terminal event INTERRUPTED, whose
// metadata name the answer (response_id) and the chunk before the end
// (last_sequence). A client may have seen chunks that were not
// journaled: whatever sequence number it resumes from, it gets what is there
// after it, once, and the end. The answer is not made again by itself, nor under
// the same idempotency key: nobody knows what the provider did with the call.
//
// # What is kept
//
// An answer is removed with its log when retention has passed since it was
// begun, unless its session has not taken it yet.
package response
