// Package upstream is the HTTP client towards servers that answer slowly and by streaming.
//
// [New] returns a [Doer]. The usual one is [Client], a lean HTTP/1.1 client: pooled connections, one write for head and
// body, a body reader that returns what has come as soon as it has come. Proxies, HTTP/2 and compressed answers are left
// to [Standard], which is net/http behind the same interface; New chooses.
//
// # Cancelling
//
// When the context of a request ends, whatever the request blocks in, be it dialling, writing or reading the body,
// returns at once, the server sees the connection close, and the error wraps the context's cause. The context holds
// until the body has been read to its end or closed.
//
// # Retrying
//
// A kept connection may be closed by the server in the moment it is used again. Just before a request is written to it,
// the client looks whether the server has closed it, or sent what nobody asked for (on systems with BSD sockets). If it is found dead only by using it,
// the request is sent once more, on a new connection: when the connection had been idle in the pool, not one byte of an
// answer came, and it failed by being closed and not by time or cancelling. In the rare case of a server that took a
// request and then died without a word, this sends it twice; Request.NoRetry forbids that. Nothing else is retried.
//
// Error.Sent tells a failed request that the server may have begun from one that it cannot have.
//
// # Not done
//
// Redirects are returned, not followed. Cookies, authentication, caching and checks of where a request may go belong to
// the caller. Nothing is logged.
package upstream
