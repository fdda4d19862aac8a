package alike

import (
	"encoding/binary"
	"math/bits"
)

// Tags of the fields of a Chunk and of its RawChunk, see answerlog: a chunk of nothing
// but one event of the provider begins with its length, sequence, tagRaw and its
// length, wire, form, tagData and its length; behind the event stands tagCount with
// the number of events.
const (
	tagSequence = 1 << 3
	tagRaw      = 3<<3 | 2
	tagWire     = 1 << 3
	tagForm     = 2 << 3
	tagData     = 3<<3 | 2
	tagCount    = 4 << 3
)

// foretell appends what stands between the event of a chunk and that of the next one,
// whose data is size bytes, where before is what stood between that chunk and the one
// before it. It appends nothing where that is of another form. What it says of a
// beginning must stay the same in all releases: stored logs rely on it.
func foretell(dst, before []byte, size int) []byte {
	if len(before) < 2 || before[0] != tagCount || before[1] >= 0x80 {
		return dst
	}
	count, rest := before[:2], before[2:]
	field := func(tag byte) (value uint64, ok bool) {
		if len(rest) == 0 || rest[0] != tag {
			return 0, false
		}
		value, n := binary.Uvarint(rest[1:])
		if n <= 0 {
			return 0, false
		}
		rest = rest[1+n:]
		return value, true
	}
	_, n := binary.Uvarint(rest) // of the chunk
	if n <= 0 {
		return dst
	}
	rest = rest[n:]
	sequence, ok := field(tagSequence)
	if _, raw := field(tagRaw); !ok || !raw {
		return dst
	}
	wire, ok1 := field(tagWire)
	form, ok2 := field(tagForm)
	_, ok3 := field(tagData)
	if !ok1 || !ok2 || !ok3 || len(rest) > 0 || wire >= 0x80 || form >= 0x80 {
		return dst
	}
	sequence++
	raw := uint64(4 + 1 + varint(uint64(size)) + size + len(count))
	chunk := uint64(1+varint(sequence)+1+varint(raw)) + raw
	dst = append(dst, count...)
	dst = binary.AppendUvarint(dst, chunk)
	dst = binary.AppendUvarint(append(dst, tagSequence), sequence)
	dst = binary.AppendUvarint(append(dst, tagRaw), raw)
	dst = append(dst, tagWire, byte(wire), tagForm, byte(form), tagData)
	return binary.AppendUvarint(dst, uint64(size))
}

// varint is the size of v as one.
func varint(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }
