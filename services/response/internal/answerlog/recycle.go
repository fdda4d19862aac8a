package answerlog

import (
	"math/bits"
	"sync"
)

// Segments of the usual sizes are used again: a turn's log is most of what it
// would leave to the collector.
const classes = 5 // firstSegment to 16 times as much

var kept [classes]sync.Pool

// class is the pool of segments of a size; false where they are not kept.
func class(size int) (int, bool) {
	n := bits.Len(uint(size / firstSegment))
	return n - 1, n >= 1 && n <= classes && size == firstSegment<<(n-1)
}

func newSegment(size int) []byte {
	if c, ok := class(size); ok {
		if b, ok := kept[c].Get().(*[]byte); ok {
			return (*b)[:0]
		}
	}
	return make([]byte, 0, size)
}

// Recycle lets go of the log's bytes. Nobody may have an entry of it, or the log
// itself, any more.
func (l *Log) Recycle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, segment := range l.segments {
		if c, ok := class(cap(segment)); ok {
			kept[c].Put(&segment)
		}
	}
	l.segments, l.entries, l.closed = nil, nil, true
}
