package eventstream

import (
	"bytes"
	"io"
)

// SSEReader reads server-sent events. Lines end with LF, CRLF or CR, also mixed. It is not safe for concurrent use.
type SSEReader struct {
	window
	begun  bool // the place of a byte order mark is passed
	scan   int  // relative to start: everything before it has been searched for line ends
	line   int  // relative to start: where the current line begins
	ends   lineEnds
	loneCR bool // the line before the current one ended with a CR alone

	events []Event
	joined []byte
}

// NewSSEReader returns a reader of the events in src. It reads no more than it is asked to: one Next that finds no
// complete event in memory reads until there is one.
func NewSSEReader(src io.Reader, limits Limits) *SSEReader {
	return &SSEReader{window: newWindow(src, limits)}
}

// Next returns all events that are complete after the least number of reads that completes one; it blocks as long as
// the source does. The batch holds until the next call. Errors, each of them final: [io.EOF] when the source ended
// behind an event, [ErrTruncated] when it ended inside one, [ErrTooLarge], or whatever the source failed with. Events
// that were complete before a fault are returned first.
func (r *SSEReader) Next() (Batch, error) {
	if r.events == nil {
		r.events = newList()
	}
	r.events, r.joined = r.events[:0], r.joined[:0]
	for {
		if b := r.complete(); len(b.Events) > 0 {
			return b, nil
		}
		if r.err != nil {
			return Batch{}, r.ended()
		}
		r.fill()
		r.ends.next = 0
	}
}

// Feed is given what the source brought next and hands on the events that are complete with it, if there are any: raw is
// all of them as they came, last the view of the last one. Both hold until sink returns; so long is p lent. It returns an
// error of sink, or ErrTooLarge. A reader is either fed or reads its source.
func (r *SSEReader) Feed(p []byte, sink func(raw []byte, last *Event) error) error {
	own := r.lend(p)
	r.joined = r.joined[:0]
	first := r.start
	var last []byte
	if r.err == nil && (r.begun || r.passMark()) {
		first = r.start
		if last = r.leap(); last == nil {
			last = r.advance()
		}
	}
	var err error
	if last != nil {
		r.last = r.view(last)
		err = sink(r.buf[first:r.start:r.start], &r.last)
		r.last = Event{}
	}
	r.settle(own)
	r.ends.next = 0
	if err == nil && r.err == ErrTooLarge {
		err = ErrTooLarge
	}
	return err
}

// Rest returns what lies behind the last complete event once Next has failed. A last line without an end counts as a
// line. The view is empty when nothing is left.
func (r *SSEReader) Rest() Event {
	if len(r.buf) == r.start {
		return Event{}
	}
	r.joined = r.joined[:0]
	return r.view(r.buf[r.start:len(r.buf):len(r.buf)])
}

// complete takes all complete events out of the window.
func (r *SSEReader) complete() Batch {
	if r.err == ErrTooLarge || !r.begun && !r.passMark() {
		return Batch{}
	}
	first := r.start
	for {
		n := r.eventEnd()
		if n < 0 {
			if len(r.buf)-r.start > r.max {
				r.tooLarge()
			}
			break
		}
		if n > r.max {
			r.tooLarge()
			break
		}
		end := r.start + n
		r.events = append(r.events, r.view(r.buf[r.start:end:end]))
		r.start, r.scan, r.line = end, 0, 0
	}
	return Batch{Raw: r.buf[first:r.start:r.start], Events: r.events}
}

// advance passes over all complete events and returns the last one, or nil.
func (r *SSEReader) advance() (last []byte) {
	for {
		n := r.eventEnd()
		if n > r.max || n < 0 && len(r.buf)-r.start > r.max {
			r.tooLarge()
			return last
		}
		if n < 0 {
			return last
		}
		end := r.start + n
		last = r.buf[r.start:end:end]
		r.start, r.scan, r.line = end, 0, 0
	}
}

// leap is advance where it need not look at each line: only line feeds end any, and all that is there is not too much for
// one event. Nil where that is not so, or nothing is complete.
func (r *SSEReader) leap() (last []byte) {
	b := r.buf[r.start:]
	if r.loneCR || len(b) == 0 || len(b) > r.max || b[0] == '\n' {
		return nil
	}
	end := blankEnd(b)
	if end < 0 || bytes.IndexByte(b, '\r') >= 0 {
		return nil
	}
	from := max(blankEnd(b[:end-1]), 0) // another blank line, or none
	r.start += end
	r.scan, r.line = 0, 0
	return b[from:end:end]
}

// blankEnd is the offset behind the last pair of line feeds, or -1.
func blankEnd(b []byte) int {
	for at := len(b); ; {
		if at = bytes.LastIndexByte(b[:at], '\n'); at <= 0 {
			return -1
		}
		if b[at-1] == '\n' {
			return at + 1
		}
	}
}

// passMark passes over a byte order mark. It reports false while that cannot be told yet.
func (r *SSEReader) passMark() bool {
	const mark = "\xef\xbb\xbf"
	head := r.buf[r.start:min(len(r.buf), r.start+len(mark))]
	switch {
	case string(head) == mark:
		r.start += len(mark)
	case len(head) == 0, r.err == nil && string(head) == mark[:len(head)]:
		return false
	}
	r.begun = true
	return true
}

// eventEnd returns the length of the event at start, or -1 when it is not complete. A blank line that ends with CR is
// followed by an LF in streams of CRLF lines; there the event ends behind the LF although it may still be on its way.
// In streams of CR lines the event ends at once: waiting would hold each event back until the next.
func (r *SSEReader) eventEnd() int {
	for {
		i := r.ends.find(r.buf, r.start+r.scan)
		if i == len(r.buf) {
			r.scan = i - r.start
			return -1
		}
		blank := i == r.start+r.line
		next := i + 1
		lone := false
		if r.buf[i] == '\r' && !(blank && r.loneCR) {
			if next == len(r.buf) && r.err == nil {
				r.scan = i - r.start
				return -1
			}
			if lone = next == len(r.buf) || r.buf[next] != '\n'; !lone {
				next++
			}
		} else if r.buf[i] == '\r' {
			lone = true
		}
		r.loneCR = lone
		r.scan, r.line = next-r.start, next-r.start
		if blank {
			return next - r.start
		}
	}
}

// view parses the lines of one event.
func (r *SSEReader) view(raw []byte) Event {
	e := Event{Raw: raw}
	joinedFrom := -1
	var ends lineEnds
	for from := 0; from < len(raw); {
		end := ends.find(raw, from)
		line := raw[from:end]
		from = behind(raw, end)
		if len(line) == 0 || line[0] == ':' {
			continue
		}
		name, value := line, line[len(line):]
		if i := bytes.IndexByte(line, ':'); i >= 0 {
			name, value = line[:i], line[i+1:]
			if len(value) > 0 && value[0] == ' ' {
				value = value[1:]
			}
		}
		value = value[:len(value):len(value)]
		switch string(name) {
		case "data":
			switch {
			case e.Data == nil:
				e.Data = value
				continue
			case joinedFrom < 0:
				joinedFrom = len(r.joined)
				r.joined = append(r.joined, e.Data...)
			}
			r.joined = append(append(r.joined, '\n'), value...)
			e.Data = r.joined[joinedFrom:len(r.joined):len(r.joined)]
		case "event":
			e.Name = value
		case "id":
			if bytes.IndexByte(value, 0) < 0 {
				e.ID = value
			}
		}
	}
	return e
}
