// Package rest is the native face over HTTP: /mesh/v1/*, as the contracts bind
// their methods, by grpc-gateway over a connection to the rooms.
//
// JSON has the fields' own names (snake_case); both these and camelCase are
// taken. A field that is not known, in a body or in a query, is refused by name.
// Fields are checked where the connection leads: by the server's validation.
//
// Streams are lines of JSON (application/x-ndjson), one message a line; with
// "Accept: text/event-stream" they are events, whose name says what the message
// holds and whose id is the chunk's sequence or the session's version, where it
// has one. A browser's EventSource takes up a watch where it broke off, by
// Last-Event-ID; so does a client that sends a turn again under its key.
//
// A turn may say its key and what becomes of its answer in headers, as on the
// other faces: Idempotency-Key, X-Gptmesh-On-Disconnect. The body's own members
// win.
//
// An error is
//
//	{"error":{"code":404,"status":"NOT_FOUND","reason":"SESSION_NOT_FOUND","message":"…","metadata":{…},"fields":[{"field":"…","description":"…"}]}}
//
// code is the HTTP status; in mid-stream it is the status that would have been.
// There the error is the stream's last line, or an event named "error".
//
// GET /mesh/v1/openapi.yaml describes all of it.
package rest
