// Package answer hands a face's turn to the request room and writes what comes
// back in the face's dialect: streamed or whole, the provider's own bytes where
// the wires are the same, encoded events where they are not.
//
// # Beginnings
//
// The status of an answer is open until its first piece: a turn that is
// refused, or fails before it, gets the face's error with its own status,
// although a stream was asked for. Headers and first piece leave together.
// While a streaming client waits longer than the configured pause, headers go
// out with a heartbeat; an error that comes later is told within the stream.
//
// # Endings
//
// An answer that is not whole ends in the face's error event and never in its
// mark of completion. A client that leaves cancels the call inward at once,
// streaming or not, whether a token has come or not; so does one that stops
// reading, after the edge's write timeout.
package answer
