package alike

import "bytes"

// Trail packs frames while they come. Its zero is that of a run's beginning. Who has
// one keeps the end of the frames: the last piece that was packed, which the next one
// is packed by, and what stands behind it.
type Trail struct {
	head int // how long the last piece's beginning is
	end  int // how long the last piece is
}

// Packed is how many bytes at the beginning of what is kept are packed already.
func (t *Trail) Packed() int { return t.end }

// More appends the pieces that are whole to dst, in which grow makes room for so many
// bytes more. from is where what must be kept begins in frames, which are what was kept
// and what came since.
func (t *Trail) More(dst, frames []byte, grow func([]byte, int) []byte) (packed []byte, from int) {
	return t.pack(dst, frames, false, grow)
}

// Rest appends all that is not packed yet to dst: the run is over.
func (t Trail) Rest(dst, frames []byte) []byte {
	dst, _ = t.pack(dst, frames, true, nil)
	return dst
}

func (t *Trail) pack(dst, frames []byte, all bool, grow func([]byte, int) []byte) (packed []byte, from int) {
	begin, before := frames[:t.head], frames[t.head:t.end]
	for at := t.end; at < len(frames); {
		size := len(frames) - at
		if end := bytes.Index(frames[at:], pieceEnd); end >= 0 {
			size = end + len(pieceEnd)
		} else if !all {
			break
		}
		piece := frames[at : at+size]
		dst, t.head = appendPiece(dst, piece, begin, before, grow)
		begin, before, t.end, from = piece[:t.head], piece[t.head:], size, at
		at += size
	}
	return dst, from
}

// ParseMore appends the frames that More packed into pieces since the beginning, which
// are size bytes, to dst.
func ParseMore(dst, pieces []byte, size int) ([]byte, error) {
	return parsePieces(dst, pieces, size, true)
}
