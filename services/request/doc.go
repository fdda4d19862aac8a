// Package request is the room that admits turns: it checks them, joins them
// with their session, chooses a model, and sees them through.
//
// It is called by the gateway and by clients. It calls the session room for the
// history, the classifier for model "auto", and the response room for the
// answer.
//
// # Promises
//
// The same idempotency key never starts two model calls. A key is bound to a
// request, in the transaction that accepts it and before anything is asked of
// the response room, for key_lifetime, per principal. Whoever comes with the
// same key and the same request (all of it but timeout, on_disconnect and the
// key) is attached: to the running answer, from its first chunk, or to the
// stored one. Another request is IDEMPOTENCY_CONFLICT.
//
// While somebody follows an answer under its key, it goes on without the client
// that began it; the time-out of that one bounds it.
//
// A request that ended before any of its answer was passed on can be sent
// again under its key:
//
//   - Where no provider can have begun it, or the one that was asked declined (a
//     provider that is not reached, 429, 5xx, an overloaded room, a deadline in a
//     queue), the key passes on to a new request, which is made anew.
//   - Where the failure is the outcome (INVALID_ARGUMENT, NOT_FOUND,
//     EMPTY_ANSWER, an answer that was cut off, …) it is given again.
//   - Where a provider may have done the work (the client left, a deadline, a
//     first token that did not come, a connection that broke after the request
//     was sent) it is OUTCOME_UNKNOWN, and nobody is asked again. With
//     repeat_unknown, for those who would rather pay twice, the key passes on.
//   - Where it was INTERRUPTED the stored answer is given if the response room
//     finished it, else the failure; it too is asked again with repeat_unknown
//     only.
//
// Every refusal names the field or the limit. A refused turn leaves no row.
//
// Every decision is kept as a readable trace, in Request.decision.
//
// When the terminal event arrives, the request's final state is committed, after
// answer, usage and session. The row of an accepted request is committed beside
// the call of the response room, and before the first chunk goes out. Chunks are
// relayed without being decoded. That a request runs is not committed by
// itself: GetRequest of the process that handles it says so.
//
// # Sessions
//
// Where the turn's messages begin with the stored history (compared by role,
// text and tool calls; system messages aside), only the rest is new; a history
// of which the session gives only the newest part may stand anywhere. Otherwise
// the history goes before the turn's messages. System messages of the turn take
// the place of stored ones; they are stored only in a session that has none. A
// raw turn to which nothing is added stays raw.
//
// # Ends
//
// timeout bounds the whole request: DEADLINE_EXCEEDED names the room that was
// waited for. When the client leaves, DISCONNECT_POLICY_CANCEL cancels inward;
// with DRAIN and DETACH the room follows the answer in the background and
// finishes the row.
//
// Where the stream of an answer breaks off inside the mesh, the room follows the
// answer by its log, from the chunk after the last one passed on: its client
// does not notice where the answer goes on. One that brings nothing for
// resume_timeout ends for the client as INTERRUPTED, with response_id and last_sequence to
// resume from.
//
// Request and answer say the same. Whenever the end of an answer did not come
// through, because its client left, somebody cancelled it, or a process
// stopped, the response room is asked for it, and the request takes its state:
//
//	COMPLETED    the answer is whole, whatever its client saw of it
//	CANCELLED    the client left or somebody cancelled; the gateway's death is
//	             its client's leaving
//	FAILED       the answer failed, and failure says why
//	INTERRUPTED  a process of the mesh that was at work on it stopped
//
// Where a client has left and the response room of another process knows of no answer,
// it is told to keep it as cancelled: none can come any more that says otherwise.
//
// Where the response room cannot be asked the row stays open, and is finished
// as soon as it can. At a start, and on PostgreSQL when another process falls
// silent, this happens to requests that nobody handles any more.
//
// # What is kept
//
// Idempotency keys are kept for key_lifetime (24 hours), requests for retention
// (30 days); both are removed in the background.
package request
