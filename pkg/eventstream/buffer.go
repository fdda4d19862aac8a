package eventstream

import (
	"errors"
	"sync"
)

// errReleased answers a reader that is used after Release.
var errReleased = errors.New("eventstream: the reader was released")

// Buffers of the two usual sizes are used again by later streams, and so are
// lists of events.
var small, large, lists sync.Pool

func newBuffer(size int) []byte {
	var kept any
	switch size {
	case firstRoom:
		kept = small.Get()
	case largeRoom:
		kept = large.Get()
	}
	if b, ok := kept.(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, size)
}

func keepBuffer(b []byte) {
	switch cap(b) {
	case firstRoom:
		kept := b
		small.Put(&kept)
	case largeRoom:
		kept := b
		large.Put(&kept)
	}
}

// move takes another buffer. The old one is not kept: a batch may lie in it.
func (w *window) move(size int) {
	w.buf = append(newBuffer(size), w.buf...)
}

func newList() []Event {
	if l, ok := lists.Get().(*[]Event); ok {
		return (*l)[:0]
	}
	return nil
}

// maxList is the longest list of events that is kept.
const maxList = 1024

func (w *window) release(events []Event) {
	keepBuffer(w.buf)
	w.buf, w.start, w.err = nil, 0, errReleased
	if n := cap(events); n > 0 && n <= maxList {
		events = events[:n]
		clear(events)
		lists.Put(&events)
	}
}

// Release gives back what the reader holds. Neither it nor anything that it
// handed out may be used again, but for errors.
func (r *SSEReader) Release() {
	r.release(r.events)
	r.events = nil
}

// Release is SSEReader.Release.
func (r *LineReader) Release() {
	r.release(r.events)
	r.events = nil
}
