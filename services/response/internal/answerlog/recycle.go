package answerlog

import (
	"math/bits"
	"sync"
)

// Segments of the usual sizes are used again: a turn's log is most of what it
// would leave to the collector.
const classes = 18 // leastSegment to 384 times as much, two for each doubling

var kept [classes]sync.Pool

// class is the pool of the smallest usual size that holds so many bytes; classes or
// more where none does.
func class(size int) int {
	doublings := bits.Len(uint(max(size-1, 0) / leastSegment))
	if c := 2 * doublings; c == 0 || size > usual(c-1) {
		return c
	}
	return 2*doublings - 1
}

// usual is the size of a class: leastSegment, half as much again, twice as much.
func usual(class int) int { return leastSegment << (class / 2) * (2 + class%2) / 2 }

// newSegment has room for size bytes at least.
func newSegment(size int) []byte {
	c := class(size)
	if c >= classes {
		return make([]byte, 0, size)
	}
	if b, ok := kept[c].Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, usual(c))
}

// recycle keeps a segment of a usual size for others.
func recycle(segment []byte) {
	if c := class(cap(segment)); cap(segment) > 0 && c < classes && cap(segment) == usual(c) {
		whole := segment
		kept[c].Put(&whole)
	}
}

// Recycle lets go of the log's bytes. Nobody may read the log any more.
func (l *Log) Recycle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.blocks {
		if !b.packed && !b.bare || b.texts {
			recycle(b.data)
		}
	}
	l.dropTail()
	l.texts.Release(recycle)
	l.blocks, l.count, l.first, l.closed = nil, 0, 0, true
}
