package eventstream

import (
	"errors"
	"io"
)

var (
	// ErrTruncated means that the source ended inside an event. The rest of it is at hand through the reader's Rest.
	ErrTruncated = errors.New("eventstream: the stream ends inside an event")
	// ErrTooLarge means that an event is longer than Limits.MaxEvent. Nothing can be read behind it.
	ErrTooLarge = errors.New("eventstream: the event exceeds the size limit")
)

// DefaultMaxEvent is the limit of one event where none is set: 8 MiB.
const DefaultMaxEvent = 8 << 20

const (
	firstRoom = 4 << 10  // The buffer starts with this size
	largeRoom = 64 << 10 // and doubles up to this one while reads fill it.
	emptyRead = 100      // So many reads of nothing in a row are a broken source.
)

// Limits bounds a reader. The zero value sets the defaults.
type Limits struct {
	// MaxEvent is the greatest length of one event in bytes, line ends and comments included; zero means
	// DefaultMaxEvent. A reader holds at most this and 128 KiB of the stream, and once more as much where events have
	// several data lines.
	MaxEvent int
}

// Event is a view of one event. All slices are borrowed from the reader and hold until its next call.
type Event struct {
	// Raw is the whole event as it came, with the blank line (or, for lines, the line end) that ends it.
	Raw []byte
	// Name is the last event field, or nil.
	Name []byte
	// Data holds the data lines joined by "\n", or the line without its end. It is nil when there are none: a comment
	// that keeps the connection alive, a blank line, an event that a browser would not dispatch.
	Data []byte
	// ID is the last id field, or nil. An id that holds a NUL is ignored, as the standard says.
	ID []byte
}

// Batch is a run of complete events, at least one. It is borrowed from the reader and holds until its next call.
type Batch struct {
	// Raw is the events one behind the other, as they came.
	Raw []byte
	// Events are the views of them, in order. The Raw of all together are the Raw of the batch.
	Events []Event
}

// window is the part of the source that is in memory. buf[start:] are the bytes that no event handed out has used.
type window struct {
	src   io.Reader
	max   int
	buf   []byte
	start int
	err   error // what the source ended with, kept until all events before it are out
	last  Event // lent to who is handed events of a reader that is fed
}

func newWindow(src io.Reader, l Limits) window {
	w := window{src: src, max: l.MaxEvent}
	if w.max <= 0 {
		w.max = DefaultMaxEvent
	}
	return w
}

// fill moves the unused bytes to the front and reads once behind them. Offsets relative to start stay true.
func (w *window) fill() {
	if w.err != nil {
		return
	}
	if w.start > 0 {
		w.buf, w.start = w.buf[:copy(w.buf, w.buf[w.start:])], 0
	}
	n := len(w.buf)
	switch {
	case w.buf == nil:
		w.buf = newBuffer(firstRoom)
	case cap(w.buf)-n < firstRoom/2:
		size := min(2*cap(w.buf), w.max+largeRoom)
		w.move(max(size, n+firstRoom))
	}
	for range emptyRead {
		room := w.buf[n:cap(w.buf)]
		got, err := w.src.Read(room)
		w.buf, w.err = w.buf[:n+got], err
		if got == len(room) && cap(w.buf) < largeRoom && err == nil {
			w.move(largeRoom) // The source has more: offer more next time.
		}
		if got > 0 || err != nil {
			return
		}
	}
	w.err = io.ErrNoProgress
}

// End tells a reader that is fed what its source ended with; io.EOF for an end in order. Next then returns what became
// complete with it, or an error.
func (w *window) End(err error) {
	if w.err == nil {
		w.err = err
	}
}

// lend puts p behind what is left of earlier pieces, in p itself where nothing is. own says that it is not.
func (w *window) lend(p []byte) (own bool) {
	if w.start == len(w.buf) {
		keepBuffer(w.buf)
		w.buf, w.start = p, 0
		return false
	}
	if w.start > 0 {
		w.buf, w.start = w.buf[:copy(w.buf, w.buf[w.start:])], 0
	}
	if room := cap(w.buf) - len(w.buf); room < len(p) {
		old := w.buf
		w.move(max(largeRoom, len(old)+len(p)))
		keepBuffer(old)
	}
	w.buf = append(w.buf, p...)
	return true
}

// settle keeps what no event has used, in memory of the reader.
func (w *window) settle(own bool) {
	left := w.buf[w.start:]
	switch {
	case len(left) == 0:
		if own {
			keepBuffer(w.buf)
		}
		w.buf, w.start = nil, 0
	case !own:
		w.buf, w.start = append(newBuffer(max(len(left), firstRoom)), left...), 0
	}
}

// ended is the error to return once no complete event is left.
func (w *window) ended() error {
	if w.err == io.EOF && len(w.buf) > w.start {
		return ErrTruncated
	}
	return w.err
}

// tooLarge ends the stream at an event that is longer than the limit.
func (w *window) tooLarge() { w.err = ErrTooLarge }
