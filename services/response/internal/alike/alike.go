// Package alike packs the log of a stream by what its events differ in.
package alike

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
)

// A log packed by likeness is a zero and its length, then its pieces, each of them
// up to and with a blank line: how long the beginning is that stands before its
// data, and the beginning, or foretold where it is as expected; how many bytes
// behind that are those of the piece before from the same place on, how many at its
// end, how many lie between, and these. Earlier releases had no zero and nothing
// foretold.

var (
	pieceEnd   = []byte("\n\n")
	pieceBegin = []byte("data:")
	lineOfData = []byte("\ndata:")
)

// maxLead is the longest beginning that is told apart.
const maxLead = 64

// foretold stands in the place of the length of a beginning that foretell knows.
const foretold = maxLead + 1

// lead is the length of what stands before a piece's data: what frames a chunk.
func lead(piece []byte) int {
	if at := bytes.Index(piece[:min(len(piece), maxLead)], pieceBegin); at > 0 {
		return at
	}
	return 0
}

// MaxSize bounds what unpacking may make.
const MaxSize = 1 << 30

// Append appends frames packed by likeness. ok is false where they are not alike
// enough to be worth it.
func Append(dst, frames []byte) (packed []byte, ok bool) {
	start := len(dst)
	dst = Begin(dst, len(frames))
	var before []byte // the data of the piece before
	var begin []byte  // the last beginning
	for rest := frames; len(rest) > 0; {
		size := len(rest)
		if at := bytes.Index(rest, pieceEnd); at >= 0 {
			size = at + len(pieceEnd)
		}
		piece := rest[:size]
		rest = rest[size:]
		var head int
		if dst, head = appendPiece(dst, piece, begin, before, nil); head > 0 {
			begin = piece[:head]
		}
		before = piece[head:]
		if packed := len(dst) - start; packed > 2<<10 && packed > (len(frames)-len(rest))/3 {
			return nil, false
		}
	}
	return dst, Worth(len(dst)-start, len(frames))
}

// Worth says whether frames that are size bytes are alike enough, where they are
// packed so small.
func Worth(packed, size int) bool { return packed <= max(size/3, 2<<10) }

// Begin appends what stands before the pieces of frames that are size bytes.
func Begin(dst []byte, size int) []byte {
	return binary.AppendUvarint(append(dst, 0), uint64(size))
}

// appendPiece appends a piece, which may begin with what the last beginning foretells
// and has its data packed by that of the piece before. grow makes room in dst, where it
// is not nil. head is how long the piece's beginning is.
func appendPiece(dst, piece, begin, before []byte, grow func([]byte, int) []byte) (packed []byte, head int) {
	head = lead(piece)
	data := piece[head:]
	same := commonPrefix(before, data)
	tail := commonSuffix(before[same:], data[same:])
	middle := data[same : len(data)-tail]
	var room [maxLead]byte
	told := head > 0 && bytes.Equal(foretell(room[:0], begin, len(data)), piece[:head])
	if grow != nil {
		need := 1 + varint(uint64(same)) + varint(uint64(tail)) + varint(uint64(len(middle))) + len(middle)
		if !told {
			need += head
		}
		dst = grow(dst, need)
	}
	if told {
		dst = append(dst, foretold)
	} else {
		dst = append(append(dst, byte(head)), piece[:head]...) // below 0x80: see maxLead
	}
	dst = binary.AppendUvarint(dst, uint64(same))
	dst = binary.AppendUvarint(dst, uint64(tail))
	dst = binary.AppendUvarint(dst, uint64(len(middle)))
	return append(dst, middle...), head
}

var errBroken = errors.New("stored log: broken")

// Parse appends the frames that Append or Texts packed to dst.
func Parse(dst, packed []byte) ([]byte, error) {
	if IsTexts(packed) {
		r, size, err := parseTexts(packed)
		if err != nil {
			return nil, err
		}
		start := len(dst)
		dst, _, err = r.appendFrom(slices.Grow(dst, min(size, 1<<20)), 0, size, size)
		if err != nil || len(dst)-start != size {
			return nil, errBroken
		}
		return dst, nil
	}
	foretells := len(packed) > 0 && packed[0] == 0
	if foretells {
		packed = packed[1:]
	}
	whole, n := binary.Uvarint(packed)
	if n <= 0 || whole > MaxSize {
		return nil, errBroken
	}
	return parsePieces(dst, packed[n:], int(whole), foretells)
}

// parsePieces appends the frames that pieces hold, which are whole bytes.
func parsePieces(dst, packed []byte, whole int, foretells bool) ([]byte, error) {
	number := func() (int, bool) {
		n, size := binary.Uvarint(packed)
		if size <= 0 || n > MaxSize {
			return 0, false
		}
		packed = packed[size:]
		return int(n), true
	}
	frames := slices.Grow(dst, min(whole, 1<<20))
	whole += len(dst)
	from, to := 0, 0 // the data of the piece before
	var begin []byte // the last beginning
	var room [maxLead]byte
	for len(packed) > 0 {
		size, ok := number()
		if !ok {
			return nil, errBroken
		}
		told := foretells && size == foretold
		var head []byte
		if !told {
			if size > len(packed) {
				return nil, errBroken
			}
			head, packed = packed[:size], packed[size:]
		}
		same, ok1 := number()
		tail, ok2 := number()
		middle, ok3 := number()
		if !ok1 || !ok2 || !ok3 || same+tail > to-from || middle > len(packed) {
			return nil, errBroken
		}
		if told {
			if head = foretell(room[:0], begin, same+tail+middle); len(head) == 0 {
				return nil, errBroken
			}
		}
		if len(frames)+len(head)+same+tail+middle > whole {
			return nil, errBroken
		}
		start := len(frames) + len(head)
		frames = append(frames, head...)
		if len(head) > 0 {
			begin = frames[start-len(head) : start]
		}
		frames = append(frames, frames[from:from+same]...)
		frames = append(frames, packed[:middle]...)
		frames = append(frames, frames[to-tail:to]...)
		packed = packed[middle:]
		from, to = start, len(frames)
	}
	if len(frames) != whole {
		return nil, errBroken
	}
	return frames, nil
}

// ParseRuns appends the frames of runs to dst, each of which is its length and what
// Append made of it.
func ParseRuns(dst, runs []byte) ([]byte, error) {
	start := len(dst)
	for len(runs) > 0 {
		size, n := binary.Uvarint(runs)
		if n <= 0 || size == 0 || size > uint64(len(runs)-n) {
			return nil, errBroken
		}
		var err error
		if dst, err = Parse(dst, runs[n:n+int(size)]); err != nil {
			return nil, err
		}
		if len(dst)-start > MaxSize {
			return nil, errBroken
		}
		runs = runs[n+int(size):]
	}
	return dst, nil
}

func commonPrefix(a, b []byte) int {
	n, i := min(len(a), len(b)), 0
	for ; i+8 <= n; i += 8 {
		if binary.LittleEndian.Uint64(a[i:]) != binary.LittleEndian.Uint64(b[i:]) {
			break
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

func commonSuffix(a, b []byte) int {
	n, i := min(len(a), len(b)), 0
	for ; i+8 <= n; i += 8 {
		if binary.LittleEndian.Uint64(a[len(a)-i-8:]) != binary.LittleEndian.Uint64(b[len(b)-i-8:]) {
			break
		}
	}
	for i < n && a[len(a)-1-i] == b[len(b)-1-i] {
		i++
	}
	return i
}
