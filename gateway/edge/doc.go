// Package edge is the HTTP side of the mesh: what every request meets before
// and after the face that serves it.
//
// In order: request id, guard of the keyless mesh (Host and Origin), CORS,
// draining and load, route, authentication, rate limit, the client's deadline,
// the face; around all of it recovery, one log line, one span and metrics.
// Faces are values of type Face: routes with handlers, and how they word an
// error. The edge routes, the face answers.
//
// # Keys
//
// A key is taken from "Authorization: Bearer KEY", "api-key: KEY", "x-api-key:
// KEY" or, for clients that cannot send headers, from the path: /k/KEY/ stands
// before any other path and is taken off before routing. Where several are
// sent, one good key suffices. A mesh without keys knows everyone as "local",
// whatever key is shown, and therefore refuses what a foreign web page could
// make a browser send: Host names that are not this machine's (403), and
// origins other than those of local pages and desktop programs (403).
//
// # Headers that clients may send
//
//	X-Request-Id        taken as the request id when it is 1 to 128 printable characters
//	X-Request-Timeout   seconds, fractions allowed: the deadline of the whole request; "timeout" means the same
//	Content-Encoding    gzip or zstd, for the body
//	traceparent         W3C trace context
//
// # Headers of every answer
//
//	X-Request-Id        the request id
//	X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset (seconds), where a limit is set
//	Retry-After         seconds, with 429, 503 and 529; with other errors of a provider that says how long
package edge
