package answerlog

import (
	"math/bits"
	"sync"
)

// Segments of the usual sizes are used again: a turn's log is most of what it
// would leave to the collector.
const classes = 5 // firstSegment to 16 times as much

var kept [classes]sync.Pool

// class is the pool of the smallest usual size that holds so many bytes; classes
// where none does.
func class(size int) int { return bits.Len(uint(max(size-1, 0) / firstSegment)) }

// newSegment has room for size bytes at least.
func newSegment(size int) []byte {
	c := class(size)
	if c >= classes {
		return make([]byte, 0, size)
	}
	if b, ok := kept[c].Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, firstSegment<<c)
}

// Recycle lets go of the log's bytes. Nobody may have an entry of it, or the log
// itself, any more.
func (l *Log) Recycle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, segment := range l.segments {
		if c := class(cap(segment)); c < classes {
			kept[c].Put(&segment)
		}
	}
	l.segments, l.entries, l.closed = nil, nil, true
}
