// Package answerlog keeps the log of one answer in memory while it runs: its
// chunks, marshalled, in order. One goroutine appends; any number read along
// at their own speed and never slow the one that appends.
//
// Thousands of answers grow at once and are seldom read before their end, so
// that only the newest event lies there as it is: what is behind it is packed by
// what the events of a stream differ in, in runs of a few kilobytes each. Events that
// differ in nothing but a text are kept as their texts.
package answerlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/services/response/internal/alike"
	"google.golang.org/protobuf/encoding/protowire"
)

// ErrTooLarge answers an Append that would pass the log's limit. Nothing of
// the chunk was kept.
var ErrTooLarge = errors.New("answer log: limit of bytes reached")

const (
	leastSegment = 128
	firstSegment = 2 << 10
	nextSegment  = 4 << 10
	mostPacked   = 16 << 10 // of a segment that will be packed, and of an open run
	maxSegment   = 256 << 10
	largeChunk   = 8 << 10 // is packed at once
)

// Log is one answer's chunks. It is made by New, or by Init where it is part of
// another struct.
type Log struct {
	mu      sync.Mutex
	limit   int
	size    int
	count   int         // of chunks
	blocks  []block     // all but the newest chunks
	tail    []byte      // the newest, framed
	first   int         // the number of the first chunk behind blocks, from 0
	open    open        // what of them is packed already
	plain   bool        // the last block was not worth packing
	texts   alike.Texts // the newest chunks; there is no tail where it has any
	strikes int         // how many runs of texts saved little
	closed  bool
	changed chan struct{} // closed at the next change; nil while nobody waits

	room [1]block // of blocks: most answers are one
}

// block is a run of framed chunks.
type block struct {
	first  int  // the number of the first one, from 0
	packed bool // by likeness
	texts  bool // packed as texts, in a segment
	typed  bool // texts of typed chunks
	bare   bool // one chunk, not framed
	data   []byte
}

// appendTo appends the block's frames to dst.
func (b *block) appendTo(dst []byte) ([]byte, error) {
	switch {
	case b.packed:
		return alike.Parse(dst, b.data)
	case b.bare:
		return Frames(dst, b.data), nil
	}
	return append(dst, b.data...), nil
}

// New returns an empty log that holds at most limit bytes of marshalled
// chunks.
func New(limit int) *Log { return &Log{limit: limit} }

// Init makes an empty log of l, as New does.
func (l *Log) Init(limit int) { l.limit = limit }

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
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeTexts()
	if len(l.open.pieces) > 0 {
		l.closeRun()
	} else if len(l.tail) > 0 {
		l.addBlock(block{first: l.first, data: l.tail})
		l.tail = nil
	}
	l.dropTail()
	l.addBlock(block{first: l.count, bare: true, data: entry})
	l.sealed(len(entry))
}

// sealed notes that a terminal chunk of size bytes was added.
func (l *Log) sealed(size int) {
	l.count++
	l.first = l.count
	l.size += size
	l.closed = true
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
	if (m.plain || m.typed) && l.takeTexts(&m) {
		l.wake()
		return nil
	}
	l.closeTexts()
	if size >= largeChunk && !l.plain {
		if len(l.open.pieces) > 0 {
			l.closeRun()
		}
		return l.appendLarge(&m)
	}
	l.makeRoom(binary.MaxVarintLen32 + size)
	grown, err := m.append(binary.AppendUvarint(l.tail, uint64(size)))
	if err != nil {
		return err
	}
	l.open.size += len(grown) - len(l.tail)
	l.tail = grown
	l.count++
	l.size += size
	if !l.plain && (l.count > 1 || len(l.tail) > nextSegment) {
		l.packMore()
	}
	l.wake()
	return nil
}

// makeRoom makes the tail one that takes size more bytes.
func (l *Log) makeRoom(size int) {
	if cap(l.tail)-len(l.tail) >= size {
		return
	}
	if whole := len(l.tail) + size; len(l.open.pieces) > 0 || !l.plain && whole <= nextSegment {
		l.tail = extend(l.tail, size)
		return
	}
	want, most := firstSegment, maxSegment
	if len(l.tail) > 0 {
		l.put()
		want = nextSegment
		if !l.plain {
			most = mostPacked
		}
	}
	// About an eighth of what is there already: thousands of answers grow at once,
	// and what a segment has left over is lost to all of them.
	for want < most && want <= l.size/16 {
		want *= 2
	}
	if want = max(want, size); cap(l.tail) < want {
		recycle(l.tail)
		l.tail = newSegment(want)
	}
}

// appendLarge adds a chunk that makes a block together with what is in the tail.
func (l *Log) appendLarge(m *measured) error {
	buffer := buffers.Get().(*[]byte)
	defer giveBack(buffer)
	frames := append((*buffer)[:0], l.tail...)
	at := len(frames)
	frames, err := m.append(binary.AppendUvarint(frames, uint64(m.size)))
	if err != nil {
		return err
	}
	*buffer = frames
	b := block{first: l.first}
	if b.data, b.packed = pack(nil, frames); !b.packed {
		if len(l.tail) > 0 {
			l.put()
		}
		b.first, b.data, l.plain = l.count, bytes.Clone(frames[at:]), true
	}
	l.addBlock(b)
	l.dropTail()
	l.count++
	l.size += m.size
	l.first = l.count
	l.wake()
	return nil
}

func (l *Log) addBlock(b block) {
	if l.blocks == nil {
		l.blocks = l.room[:0]
	}
	l.blocks = append(l.blocks, b)
}

// buffers are those for what is packed.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxBuffer is the largest of them that is kept.
const maxBuffer = 64 << 10

func giveBack(buffer *[]byte) {
	if cap(*buffer) <= maxBuffer {
		buffers.Put(buffer)
	}
}

// pack appends frames to dst, packed where that saves the half of them; ok is
// false where it does not.
func pack(dst, frames []byte) (out []byte, ok bool) {
	buffer := buffers.Get().(*[]byte)
	defer giveBack(buffer)
	packed, ok := alike.Append((*buffer)[:0], frames)
	if !ok {
		return dst, false
	}
	*buffer = packed
	if len(packed) > len(frames)/2 {
		return dst, false
	}
	return append(dst, packed...), true
}

// put makes the tail a block, packed where that saves the half of it, and begins
// an empty one.
func (l *Log) put() {
	b := block{first: l.first}
	if b.data, b.packed = pack(nil, l.tail); b.packed {
		l.plain, l.tail = false, l.tail[:0]
	} else {
		l.plain, b.data, l.tail = true, l.tail, nil
	}
	l.addBlock(b)
	l.first, l.open.size = l.count, 0
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
	return l.count
}

// AppendFrames appends all chunks that are there now to dst, framed.
func (l *Log) AppendFrames(dst []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	dst = slices.Grow(dst, l.size+binary.MaxVarintLen32*l.count)
	for i := range l.blocks {
		var err error
		if dst, err = l.blocks[i].appendTo(dst); err != nil {
			return nil, err
		}
	}
	return l.newest(dst)
}

// Walk calls fn with each chunk that is there now, marshalled, until it fails. fn
// must neither keep an entry nor call the log.
func (l *Log) Walk(fn func(entry []byte) error) error { return l.WalkTexts(fn, nil) }

func walk(frames []byte, fn func(entry []byte) error) error {
	for len(frames) > 0 {
		entry, rest, err := Cut(frames)
		if err == nil {
			err = fn(entry)
		}
		if err != nil {
			return err
		}
		frames = rest
	}
	return nil
}

// AppendFrom appends chunks that are there now to dst, framed, from the one numbered
// first, counted from 0: those of about so many bytes, and says how many they are.
func (l *Log) AppendFrom(dst []byte, first, most int) (frames []byte, count int, err error) {
	buffer := buffers.Get().(*[]byte)
	defer giveBack(buffer)
	l.mu.Lock()
	defer l.mu.Unlock()
	frames, most = dst, len(dst)+most
	for at := first; at < l.count && len(frames) < most; {
		if b, open := l.textsAt(at); b != nil || open {
			var took int
			if open {
				frames, took = l.texts.AppendFrom(frames, at-l.first, most-len(frames))
			} else if frames, took, err = alike.AppendFrom(frames, b.data, at-b.first, most-len(frames)); err != nil {
				return dst, 0, err
			}
			if took == 0 {
				return dst, 0, errFrames // cannot be: the log packed them
			}
			at, count = at+took, count+took
			continue
		}
		run, from, err := l.run(at, buffer)
		if err != nil {
			return dst, 0, err
		}
		for ; from < at; from++ {
			run = run[frameSize(run):]
		}
		take := 0
		for take < len(run) && len(frames)+take < most {
			take += frameSize(run[take:])
			at, count = at+1, count+1
		}
		frames = append(frames, run[:take]...)
	}
	return frames, count, nil
}

// run returns the frames among which chunk i is, and the number of the first of
// them. They may lie in the tail or in buffer.
func (l *Log) run(i int, buffer *[]byte) (frames []byte, first int, err error) {
	if i >= l.first {
		frames, err = l.newestIn(buffer)
		return frames, l.first, err
	}
	b := l.blockOf(i)
	if !b.packed && !b.bare {
		return b.data, b.first, nil
	}
	if frames, err = b.appendTo((*buffer)[:0]); err != nil {
		return nil, 0, err
	}
	*buffer = frames
	return frames, b.first, nil
}

// frameSize is the length of the first of frames that are whole.
func frameSize(frames []byte) int {
	size, n := binary.Uvarint(frames)
	return n + int(size)
}

// Reader reads a log from its beginning, along with those who append. It is for
// one goroutine.
type Reader struct {
	log    *Log
	next   int
	frames []byte // of the chunks from next on
}

// readAhead is about how many bytes a reader takes at once.
const readAhead = 4 << 10

// Reader returns a reader of the log.
func (l *Log) Reader() *Reader { return &Reader{log: l} }

// Next returns the next chunk, marshalled, and waits until it is there. It is
// false where the log was closed before it. The bytes are the caller's.
func (r *Reader) Next(ctx context.Context) ([]byte, bool, error) {
	if len(r.frames) == 0 {
		over, err := r.log.await(ctx, r.next)
		if err != nil || over {
			return nil, false, err
		}
		if r.frames, _, err = r.log.AppendFrom(nil, r.next, readAhead); err != nil {
			return nil, false, err
		}
	}
	size, n := binary.Uvarint(r.frames)
	end := n + int(size)
	entry := r.frames[n:end:end]
	r.frames = r.frames[end:]
	r.next++
	return entry, true, nil
}

// Await waits until there is a chunk, or the log is closed.
func (l *Log) Await(ctx context.Context) error {
	_, err := l.await(ctx, 0)
	return err
}

// await waits until chunk i is there; over says that it will never be.
func (l *Log) await(ctx context.Context, i int) (over bool, err error) {
	for {
		l.mu.Lock()
		if i < l.count || l.closed {
			over = i >= l.count
			l.mu.Unlock()
			return over, nil
		}
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
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

var errFrames = errors.New("answer log: stored frames are broken")

// Cut takes the first entry off stored frames, which are not empty.
func Cut(frames []byte) (entry, rest []byte, err error) {
	size, n := binary.Uvarint(frames)
	if n <= 0 || size > uint64(len(frames)-n) {
		return nil, nil, errFrames
	}
	end := n + int(size)
	return frames[n:end:end], frames[end:], nil
}

// Split takes stored frames apart. The entries point into frames.
func Split(frames []byte) ([][]byte, error) {
	var entries [][]byte
	for len(frames) > 0 {
		entry, rest, err := Cut(frames)
		if err != nil {
			return nil, err
		}
		entries, frames = append(entries, entry), rest
	}
	return entries, nil
}
