package sqlite

import (
	"bytes"
	"slices"
	"sync"

	"github.com/gptmesh/gptmesh/services/response/internal/alike"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
)

// packedPiece is the first byte of a piece that is packed by likeness: see alike.
// Frames do not begin with it, since no chunk is empty.
const packedPiece = 0

// mostJoined is the size up to which packed pieces are packed anew when they are joined.
const mostJoined = 64 << 10

// scratch are buffers for pieces.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// maxScratch is the largest of them that is kept.
const maxScratch = 1 << 20

func giveBack(buffer *[]byte) {
	if cap(*buffer) <= maxScratch {
		scratch.Put(buffer)
	}
}

// packPieces returns the frames of pieces as they are stored, in memory of its own.
func packPieces(pieces []store.Piece) [][]byte {
	buffer := scratch.Get().(*[]byte)
	defer giveBack(buffer)
	out, ends := make([][]byte, len(pieces)), make([]int, len(pieces))
	all := (*buffer)[:0]
	for i, p := range pieces {
		all = appendPiece(all, p.Frames)
		ends[i] = len(all)
	}
	*buffer = all
	own, at := bytes.Clone(all), 0
	for i, end := range ends {
		out[i], at = own[at:end:end], end
	}
	return out
}

// appendPiece appends frames to dst, packed where that saves anything.
func appendPiece(dst, frames []byte) []byte {
	if packed, ok := alike.Append(append(dst, packedPiece), frames); ok && len(packed)-len(dst) < len(frames) {
		return packed
	}
	return append(dst, frames...)
}

// unpackPiece appends the frames of a stored piece to dst.
func unpackPiece(dst, stored []byte) ([]byte, error) {
	if len(stored) == 0 || stored[0] != packedPiece {
		return append(dst, stored...), nil
	}
	return alike.Parse(dst, stored[1:])
}

// pieceSize is that of a stored piece's frames.
func pieceSize(stored []byte) int {
	if len(stored) == 0 || stored[0] != packedPiece {
		return len(stored)
	}
	return alike.Size(stored[1:])
}

// joinPieces makes one piece of those that follow each other, up to a size. They may
// be run behind the end of their answer: then they are not stored, since the answer
// does not run any more.
func joinPieces(pieces [][]any) [][]any {
	var out [][]any
	for len(pieces) > 0 {
		last, size, n := pieces[0][2].(int64), pieceSize(pieces[0][3].([]byte)), 1
		for n < len(pieces) && size < mostJoined && pieces[n][1].(int64) == last+1 {
			last, size = pieces[n][2].(int64), size+pieceSize(pieces[n][3].([]byte))
			n++
		}
		if n == 1 {
			out = append(out, pieces[0])
		} else if joined, err := joinFrames(pieces[:n], size); err == nil {
			id := pieces[0][0]
			out = append(out, []any{id, pieces[0][1], last, joined, id})
		} else { // cannot be: this process packed them, or what it read at its start was whole
			out = append(out, pieces[:n]...)
		}
		pieces = pieces[n:]
	}
	return out
}

// joinFrames returns the frames of pieces, which are so many bytes, as they are stored.
func joinFrames(pieces [][]any, size int) ([]byte, error) {
	buffer, packed := scratch.Get().(*[]byte), scratch.Get().(*[]byte)
	defer giveBack(buffer)
	defer giveBack(packed)
	frames := slices.Grow((*buffer)[:0], min(size, maxScratch))
	for _, piece := range pieces {
		var err error
		if frames, err = unpackPiece(frames, piece[3].([]byte)); err != nil {
			return nil, err
		}
	}
	*buffer, *packed = frames, appendPiece((*packed)[:0], frames)
	return bytes.Clone(*packed), nil
}
