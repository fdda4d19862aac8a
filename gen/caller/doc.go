// Package caller is the runtime of the generated callers: how one room of the
// mesh calls another, in the same process or over a connection, with one
// meaning.
//
// The rules hold for both:
//
//   - A request handed over is read-only for both sides from then on.
//   - A streamed message is borrowed for the duration of the sink; whoever keeps
//     it clones it, unless Keeping says otherwise. The sink is called by one goroutine at a time, in order.
//   - A sink's error stops the producer: its context is cancelled, its sends
//     fail with Canceled, and the call returns the sink's own error.
//   - Metadata that the caller put into its outgoing context is what the server
//     finds incoming, and nothing else is.
//   - Deadline and cancellation reach the server. A call whose context is done
//     ends with Canceled or DeadlineExceeded, whatever the server returned.
//   - Every error but a sink's is a gRPC status: a plain error of the server
//     becomes Unknown, a context error its code.
//
// A local call runs the server on the caller's goroutine: no goroutine, no
// queue, no copy. So it returns only when the server has returned, where a
// remote call returns as soon as its context is done. Values of the caller's
// context other than metadata are visible to a local server; rooms must not
// rely on it beyond what the interceptors of the wire carry too.
//
// Built with the tag meshclone, local calls clone every request and message,
// and wipe each message after its sink, so that tests catch whoever breaks the
// first two rules.
package caller
