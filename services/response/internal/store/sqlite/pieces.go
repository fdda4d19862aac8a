package sqlite

import (
	"sync"

	"github.com/gptmesh/gptmesh/services/response/internal/alike"
)

// packedPiece is the first byte of a piece that is packed by likeness: see alike.
// Frames do not begin with it, since no chunk is empty.
const packedPiece = 0

// scratch are buffers for pieces.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// maxScratch is the largest of them that is kept.
const maxScratch = 1 << 20

func giveBack(buffer *[]byte) {
	if cap(*buffer) <= maxScratch {
		scratch.Put(buffer)
	}
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
