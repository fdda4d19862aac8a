// Package answerlog keeps the log of one answer in memory while it runs: its
// chunks, marshalled, in order. One goroutine appends; any number read along
// at their own speed and never slow the one that appends.
package answerlog

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"google.golang.org/protobuf/encoding/protowire"
)

// ErrTooLarge answers an Append that would pass the log's limit. Nothing of
// the chunk was kept.
var ErrTooLarge = errors.New("answer log: limit of bytes reached")

const (
	firstSegment = 2 << 10
	maxSegment   = 256 << 10
)

// Log is one answer's chunks. The zero value is not usable; use New.
type Log struct {
	mu       sync.Mutex
	limit    int
	size     int
	segments [][]byte // never moved once made: entries point into them
	entries  [][]byte
	closed   bool
	changed  chan struct{} // closed at the next change; nil while nobody waits
}

// New returns an empty log that holds at most limit bytes of marshalled
// chunks.
func New(limit int) *Log { return &Log{limit: limit} }

// Append adds chunk, which is read and not kept. It must not be called by two
// goroutines at once, nor after Close.
func (l *Log) Append(chunk *conversationv1.Chunk) error { return l.append(chunk, false) }

// Seal adds the terminal chunk, whatever the limit, and closes the log.
func (l *Log) Seal(chunk *conversationv1.Chunk) error {
	defer l.Close()
	return l.append(chunk, true)
}

// SealEntry is Seal with the chunk marshalled. The log keeps entry, which must
// not change any more.
func (l *Log) SealEntry(entry []byte) {
	defer l.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, entry[:len(entry):len(entry)])
	l.size += len(entry)
	l.wake()
}

func (l *Log) append(chunk *conversationv1.Chunk, force bool) error {
	m := measure(chunk)
	size := m.size

	l.mu.Lock()
	defer l.mu.Unlock()
	if !force && l.size+size > l.limit {
		return ErrTooLarge
	}
	segment := l.room(size)
	start := len(*segment)
	grown, err := m.append(*segment)
	if err != nil {
		return err
	}
	*segment = grown
	l.entries = append(l.entries, grown[start:len(grown):len(grown)])
	l.size += size
	l.wake()
	return nil
}

// room returns the segment that takes size more bytes without moving.
func (l *Log) room(size int) *[]byte {
	if n := len(l.segments); n > 0 {
		last := &l.segments[n-1]
		if cap(*last)-len(*last) >= size {
			return last
		}
	}
	// About an eighth of what is there already: thousands of answers grow at once,
	// and what a segment has left over is lost to all of them.
	want := firstSegment
	for want < maxSegment && want <= l.size/16 {
		want *= 2
	}
	l.segments = append(l.segments, newSegment(max(want, size)))
	return &l.segments[len(l.segments)-1]
}

func (l *Log) wake() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// Close ends the log: nothing is added any more.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.wake()
}

// Len returns how many chunks there are.
func (l *Log) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

// Next returns entry i, counted from 0, and waits until it is there. It is
// false where the log was closed before it. The bytes are a marshalled Chunk
// and read-only.
func (l *Log) Next(ctx context.Context, i int) ([]byte, bool, error) {
	for {
		l.mu.Lock()
		switch {
		case i < len(l.entries):
			entry := l.entries[i]
			l.mu.Unlock()
			return entry, true, nil
		case l.closed:
			l.mu.Unlock()
			return nil, false, nil
		}
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

// Entries returns the chunks that are there now.
func (l *Log) Entries() [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries[:len(l.entries):len(l.entries)]
}

// Frames appends entries to dst, each led by its length as a varint: the form
// in which a log is stored.
func Frames(dst []byte, entries ...[]byte) []byte {
	size := 0
	for _, entry := range entries {
		size += binary.MaxVarintLen32 + len(entry)
	}
	dst = slices.Grow(dst, size)
	for _, entry := range entries {
		dst = binary.AppendUvarint(dst, uint64(len(entry)))
		dst = append(dst, entry...)
	}
	return dst
}

// FrameSize is how many bytes an entry of size bytes takes in frames.
func FrameSize(size int) int { return protowire.SizeBytes(size) }

// AppendLength begins an entry of size bytes in frames.
func AppendLength(dst []byte, size int) []byte { return binary.AppendUvarint(dst, uint64(size)) }

// Split takes stored frames apart. The entries point into frames.
func Split(frames []byte) ([][]byte, error) {
	var entries [][]byte
	for len(frames) > 0 {
		size, n := binary.Uvarint(frames)
		if n <= 0 || size > uint64(len(frames)-n) {
			return nil, errors.New("answer log: stored frames are broken")
		}
		entries = append(entries, frames[n:n+int(size):n+int(size)])
		frames = frames[n+int(size):]
	}
	return entries, nil
}
