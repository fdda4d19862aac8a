package answerlog

import (
	"encoding/binary"
	"slices"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/services/response/internal/alike"
)

// End is a log with the terminal chunk that it is to get, as it is stored.
type End struct {
	// Runs are the log's runs, with the terminal chunk: see alike.ParseRuns.
	Runs []byte
	// Texts and TextsEnd are where in Runs texts of events stand one behind the other, as
	// these came: the most that do. They are the same where none do. Verbatim says that they are
	// those of typed events, and no strings of JSON.
	Texts, TextsEnd int
	Verbatim        bool

	frame int // size of the terminal chunk's frame, which lies behind the tail
	size  int // of the chunk
}

// End appends what the log is stored as, with its terminal chunk, to dst. The
// log stays as it is until SealEnd. ok is false where some of it is not alike,
// which is better stored in another way.
func (l *Log) End(dst []byte, terminal *conversationv1.Chunk) (end End, ok bool, err error) {
	size := terminal.PackedSize()
	buffer := buffers.Get().(*[]byte)
	defer giveBack(buffer)

	l.mu.Lock()
	defer l.mu.Unlock()
	frames := binary.AppendUvarint(append((*buffer)[:0], l.tail...), uint64(size))
	if frames, err = appendChunk(frames, terminal, size); err != nil {
		return End{}, false, err
	}
	*buffer = frames
	frame := frames[len(l.tail):]
	l.tail = extend(l.tail, len(frame))
	copy(l.tail[len(l.tail):cap(l.tail)], frame)
	packing := buffers.Get().(*[]byte)
	defer giveBack(packing)
	packed, ok := l.packNewest((*packing)[:0], frames)
	if !ok {
		return End{}, false, nil
	}
	last, whole := len(packed), 0
	var room [4]int
	sizes := room[:0] // of the runs of blocks that were not packed
	for i := range l.blocks {
		b := &l.blocks[i]
		size := len(b.data)
		if !b.packed { // as the first often is, with what stands in no other event
			from := len(packed)
			if packed, ok = alike.Append(packed, b.data); !ok || b.bare {
				return End{}, false, nil
			}
			size = len(packed) - from
			sizes = append(sizes, size)
		}
		whole += binary.MaxVarintLen32 + size
	}
	*packing = packed
	if l.texts.Len() > 0 {
		whole += binary.MaxVarintLen32 + l.texts.PackedSize()
	}
	dst = slices.Grow(dst, whole+binary.MaxVarintLen32+last)
	rest := packed[last:]
	end = End{frame: len(frame), size: size}
	for i := range l.blocks {
		data := l.blocks[i].data
		if !l.blocks[i].packed {
			data, rest, sizes = rest[:sizes[0]], rest[sizes[0]:], sizes[1:]
		}
		dst = append(binary.AppendUvarint(dst, uint64(len(data))), data...)
		if l.blocks[i].texts {
			_, _, texts, err := alike.Strings(data)
			if err != nil {
				return End{}, false, err
			}
			if len(texts) > end.TextsEnd-end.Texts {
				end.Texts, end.TextsEnd, end.Verbatim = len(dst)-len(texts), len(dst), l.blocks[i].typed
			}
		}
	}
	if l.texts.Len() > 0 {
		dst = l.texts.AppendRun(binary.AppendUvarint(dst, uint64(l.texts.RunSize())))
		if texts := l.texts.TextsSize(); texts > end.TextsEnd-end.Texts {
			end.Texts, end.TextsEnd, end.Verbatim = len(dst)-texts, len(dst), l.texts.Typed()
		}
	}
	end.Runs = append(binary.AppendUvarint(dst, uint64(last)), packed[:last]...)
	return end, true, nil
}

// packNewest appends the chunks behind the blocks, packed, where end is the tail and
// what comes behind it. ok is false where they are not alike.
func (l *Log) packNewest(dst, end []byte) (packed []byte, ok bool) {
	if len(l.open.pieces) == 0 {
		return alike.Append(dst, end)
	}
	size := l.open.size + len(end) - len(l.tail)
	packed = append(alike.Begin(dst, size), l.open.pieces...)
	packed = l.open.trail.Rest(packed, end)
	return packed, alike.Worth(len(packed), size)
}

// SealEnd adds the terminal chunk that end was made with and closes the log, to
// which nothing was added since, and End not called either.
func (l *Log) SealEnd(end End) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = l.tail[:len(l.tail)+end.frame]
	l.open.size += end.frame
	l.count++
	l.size += end.size
	l.closed = true
	l.wake()
}
