package answerlog

import (
	"math/bits"
	"sync"
)

// Segments of the usual sizes are used again: a turn's log is most of what it
// would leave to the collector.
const classes = 7 // leastSegment to 64 times as much

var kept [classes]sync.Pool

// class is the pool of the smallest usual size that holds so many bytes; classes
// where none does.
func class(size int) int { return bits.Len(uint(max(size-1, 0) / leastSegment)) }

// newSegment has room for size bytes at least.
func newSegment(size int) []byte {
	c := class(size)
	if c >= classes {
		return make([]byte, 0, size)
	}
	if b, ok := kept[c].Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, leastSegment<<c)
}

// recycle keeps a segment of a usual size for others.
func recycle(segment []byte) {
	if c := class(cap(segment)); cap(segment) > 0 && c < classes && cap(segment) == leastSegment<<c {
		whole := segment
		kept[c].Put(&whole)
	}
}

// Recycle lets go of the log's bytes. Nobody may read the log any more.
func (l *Log) Recycle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.blocks {
		if !b.packed && !b.bare {
			recycle(b.data)
		}
	}
	l.dropTail()
	l.blocks, l.count, l.first, l.closed = nil, 0, 0, true
}
