package eventstream

import (
	"bytes"
	"io"
)

// LineReader reads lines that end with LF or CRLF, such as NDJSON. An event is a line: its Data is the line without its
// end, nil for an empty line; Name and ID are nil. It is not safe for concurrent use.
type LineReader struct {
	window
	scan   int // relative to start: everything before it holds no line feed
	events []Event
}

// NewLineReader returns a reader of the lines in src. It reads no more than it is asked to.
func NewLineReader(src io.Reader, limits Limits) *LineReader {
	return &LineReader{window: newWindow(src, limits)}
}

// Next returns all lines that are complete after the least number of reads that completes one, as SSEReader.Next does
// with events and with the same errors: a last line without an end is ErrTruncated.
func (r *LineReader) Next() (Batch, error) {
	if r.events == nil {
		r.events = newList()
	}
	r.events = r.events[:0]
	for {
		if b := r.complete(); len(b.Events) > 0 {
			return b, nil
		}
		if r.err != nil {
			return Batch{}, r.ended()
		}
		r.fill()
	}
}

// Feed is SSEReader.Feed.
func (r *LineReader) Feed(p []byte, sink func(raw []byte, last *Event) error) error {
	own := r.lend(p)
	first := r.start
	var last []byte
	for r.err == nil {
		line := r.line()
		if line == nil {
			break
		}
		last = line
	}
	var err error
	if last != nil {
		r.last = lineView(last)
		err = sink(r.buf[first:r.start:r.start], &r.last)
		r.last = Event{}
	}
	r.settle(own)
	if err == nil && r.err == ErrTooLarge {
		err = ErrTooLarge
	}
	return err
}

// Rest returns the last line, which has no end, once Next has failed. The view is empty when there is none.
func (r *LineReader) Rest() Event {
	if len(r.buf) == r.start {
		return Event{}
	}
	return lineView(r.buf[r.start:len(r.buf):len(r.buf)])
}

func (r *LineReader) complete() Batch {
	first := r.start
	for r.err != ErrTooLarge {
		line := r.line()
		if line == nil {
			break
		}
		r.events = append(r.events, lineView(line))
	}
	return Batch{Raw: r.buf[first:r.start:r.start], Events: r.events}
}

// line takes the next whole line, with its end; nil where there is none, or where
// it is too large.
func (r *LineReader) line() []byte {
	n := bytes.IndexByte(r.buf[r.start+r.scan:], '\n')
	if n < 0 {
		if r.scan = len(r.buf) - r.start; r.scan > r.max {
			r.tooLarge()
		}
		return nil
	}
	if n += r.scan + 1; n > r.max {
		r.tooLarge()
		return nil
	}
	end := r.start + n
	line := r.buf[r.start:end:end]
	r.start, r.scan = end, 0
	return line
}

func lineView(raw []byte) Event {
	e := Event{Raw: raw}
	n := len(raw)
	if n > 0 && raw[n-1] == '\n' {
		n--
	}
	if n > 0 && raw[n-1] == '\r' {
		n--
	}
	if n > 0 {
		e.Data = raw[:n:n]
	}
	return e
}
