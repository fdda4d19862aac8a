package answerlog

import (
	"bytes"

	"github.com/gptmesh/gptmesh/services/response/internal/alike"
)

// open is a block in the making: chunks of which all but the end of the newest one,
// which is in the tail, are packed.
type open struct {
	pieces []byte      // see alike.Trail
	trail  alike.Trail // of the tail
	size   int         // of all frames behind the blocks
}

// packMore packs what of the tail is whole.
func (l *Log) packMore() {
	pieces, from := l.open.trail.More(l.open.pieces, l.tail, extend)
	if len(pieces) > len(l.open.pieces) {
		l.open.pieces = pieces
		kept := l.tail[from:]
		if cap(l.tail) > nextSegment { // of a large chunk
			kept = append(newSegment(len(kept)), kept...)
			recycle(l.tail)
		} else {
			kept = l.tail[:copy(l.tail, kept)]
		}
		l.tail = kept
	}
	if packed := len(l.open.pieces); packed > 0 && (l.open.size >= mostPacked || len(l.tail) > nextSegment || l.open.size >= nextSegment && packed > l.open.size/2) {
		l.closeRun()
	}
}

// closeRun makes a block of the open run, of which there is something.
func (l *Log) closeRun() {
	buffer := buffers.Get().(*[]byte)
	defer giveBack(buffer)
	packed := append(alike.Begin((*buffer)[:0], l.open.size), l.open.pieces...)
	packed = l.open.trail.Rest(packed, l.tail)
	*buffer = packed
	l.plain = len(packed) > l.open.size/2
	l.addBlock(block{first: l.first, packed: true, data: bytes.Clone(packed)})
	recycle(l.open.pieces)
	l.open, l.tail, l.first = open{}, l.tail[:0], l.count
}

// dropTail lets go of what is behind the blocks.
func (l *Log) dropTail() {
	recycle(l.open.pieces)
	recycle(l.tail)
	l.open, l.tail = open{}, nil
}

// newest appends the frames behind the blocks to dst.
func (l *Log) newest(dst []byte) (frames []byte, err error) {
	if l.texts.Len() > 0 {
		dst, _ = l.texts.AppendFrom(dst, 0, l.texts.Size())
		return append(dst, l.tail...), nil
	}
	rest := l.tail[l.open.trail.Packed():]
	if len(l.open.pieces) > 0 {
		if dst, err = alike.ParseMore(dst, l.open.pieces, l.open.size-len(rest)); err != nil {
			return nil, err
		}
	}
	return append(dst, rest...), nil
}

// newestIn returns the frames behind the blocks, which may lie in the tail or in buffer.
func (l *Log) newestIn(buffer *[]byte) (frames []byte, err error) {
	if len(l.open.pieces) == 0 && l.texts.Len() == 0 {
		return l.tail, nil
	}
	if frames, err = l.newest((*buffer)[:0]); err == nil {
		*buffer = frames
	}
	return frames, err
}

// extend makes room for more bytes behind what is in segment.
func extend(segment []byte, more int) []byte {
	if cap(segment)-len(segment) >= more {
		return segment
	}
	larger := append(newSegment(len(segment)+more), segment...)
	recycle(segment)
	return larger
}
