// Package responses is the face of OpenAI's Responses and Conversations APIs,
// over every provider.
//
//	POST   /v1/responses                            JSON and server-sent events
//	GET    /v1/responses                            as a websocket: a turn for each response.create
//	GET    /v1/responses/{id}                       also ?stream=true&starting_after=N, or Last-Event-ID
//	DELETE /v1/responses/{id}
//	POST   /v1/responses/{id}/cancel
//	GET    /v1/responses/{id}/input_items
//	POST   /v1/conversations
//	GET    /v1/conversations/{id}                   POST changes metadata, DELETE deletes
//	POST   /v1/conversations/{id}/items             GET lists
//	GET    /v1/conversations/{id}/items/{item}
//
// The same stands without /v1 and under /openai/v1.
//
// # Where things are kept
//
// The face keeps nothing, but for the last turn of a websocket that is open. A response is an answer of the response room and has
// its id. What it repeats of its request stands in the labels of the request
// (keys that begin with "gptmesh.responses."). What may go on from it stands in
// a session, unless store is false: the input and the answer, as messages, the
// answer's message under the answer's id. They live as long as that session.
//
// previous_response_id goes on in the same session where the named response is
// the last of it. Only one turn may do so: it claims the place with a versioned
// change of the session's preferences. Every other turn that goes on from the
// same response gets a session of its own, with a copy. Instructions are for
// their turn alone.
//
// A conversation is a session, its id the session's. A response with a
// conversation reads it all, and adds its input and answer when it is complete.
//
// # What cannot be done
//
// A session takes out no single message, so items of a conversation cannot be
// deleted one by one: 400. A response that did not complete has no input items
// and cannot be gone on from; once deleted, that it failed can still be read from
// its request. In a conversation that has got instructions from an earlier turn,
// a turn without any has those; the response says so.
//
// Streams of stored responses are encoded from the log each time, with the same
// sequence numbers. They hold what every provider can say; a provider's own
// events reach the client unchanged but for the response's id where store is
// false and the provider speaks this dialect.
package responses
