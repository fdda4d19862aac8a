// Package http1 is an HTTP server that serves the usual request itself and leaves
// the rest to net/http.
//
// The usual one is HTTP/1.1 in clear text, its head in 8 KB and its body of a
// known length up to Config.BodyLimit. Where anything else arrives (HTTP/2, HTTP/1.0, a
// chunked body, Expect, Upgrade, a head that is large or not beyond doubt), the
// connection goes to Config.Standard with all that was read, and stays there.
// So nothing is refused here: what is refused, net/http refuses.
//
// Serving it itself spares, for each request, a goroutine that looks for the
// client's leaving, a system call that finds the connection empty, two passages of the body
// through buffers, and about twenty allocations. A connection that waits, for a request or in the
// midst of an answer, holds no buffer.
//
// # Promises to handlers
//
// They are those of net/http, but for these. The body of a request has arrived
// before the handler runs. Body has a method Lend that lets it be read where it came, until the
// handler returns, and a method Take that gives it away. Header maps of request and answer
// are used again when the handler has returned. The request's context ends when
// the client leaves, when the server is closed, and when the handler has
// returned. There are no trailers, no informational answers, and
// no Hijacker.
//
// On systems without epoll all connections go to net/http.
package http1
