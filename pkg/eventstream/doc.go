// Package eventstream reads and writes bodies that are streamed event by event: server-sent events as the HTML standard
// defines them ([NewSSEReader], [AppendEvent]) and lines of JSON ([NewLineReader]).
//
// A reader returns a [Batch]: all events that are complete after one read of the source, as one run of bytes that can
// be forwarded unchanged, with a view of each event. There are no timers: a fast source yields large batches, a slow
// one yields each event at once.
//
// A stream that was cut never looks complete. Bytes behind the last complete event are not an event; the reader ends
// with [ErrTruncated] instead of [io.EOF] and hands them out through Rest, for a caller that knows a sender which
// leaves out the last line end.
package eventstream
