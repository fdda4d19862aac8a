package packing

import (
	"math"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Reader goes through the fields of a message.
type Reader struct {
	// Key is the number and type of the field at hand, as they stand on the wire.
	Key uint64
	// Err is why reading ended; nil at the end of the message.
	Err error

	field  []byte // from its key on
	rest   []byte
	within Within
}

// NewReader reads a message.
func NewReader(data []byte, within Within) Reader { return Reader{rest: data, within: within} }

// Next goes to the next field.
func (r *Reader) Next() bool {
	if len(r.rest) == 0 || r.Err != nil {
		return false
	}
	r.field = r.rest
	if r.Key = r.number(); r.Err != nil {
		return false
	}
	if number := r.Key >> 3; number < uint64(protowire.MinValidNumber) || number > uint64(protowire.MaxValidNumber) {
		r.Err = protowire.ParseError(-2)
		return false
	}
	return true
}

func (r *Reader) fail(n int) {
	r.Err, r.rest = protowire.ParseError(n), nil
}

// number reads a number; 0 where there is none.
func (r *Reader) number() uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 {
		v := r.rest[0]
		r.rest = r.rest[1:]
		return uint64(v)
	}
	v, n := protowire.ConsumeVarint(r.rest)
	if n < 0 {
		r.fail(n)
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Varint reads a field that is a number, a truth or a name.
func (r *Reader) Varint() uint64 { return r.number() }

// Float reads a field that is a float.
func (r *Reader) Float() float32 {
	v, n := protowire.ConsumeFixed32(r.rest)
	if n < 0 {
		r.fail(n)
		return 0
	}
	r.rest = r.rest[n:]
	return math.Float32frombits(v)
}

// Double reads a field that is a double.
func (r *Reader) Double() float64 {
	v, n := protowire.ConsumeFixed64(r.rest)
	if n < 0 {
		r.fail(n)
		return 0
	}
	r.rest = r.rest[n:]
	return math.Float64frombits(v)
}

// View reads a field that is bytes, which stay where they are.
func (r *Reader) View() []byte {
	size := r.number()
	if r.Err != nil {
		return nil
	}
	if size > uint64(len(r.rest)) {
		_, n := protowire.ConsumeBytes(nil)
		r.fail(n)
		return nil
	}
	v := r.rest[:size:size]
	r.rest = r.rest[size:]
	return v
}

// Bytes reads a field that is bytes; nil where there are none.
func (r *Reader) Bytes() []byte {
	v := r.View()
	switch {
	case len(v) == 0:
		return nil
	case r.within.lasts:
		return v
	}
	return append([]byte(nil), v...)
}

// String reads a field that is text.
func (r *Reader) String() string {
	v := r.View()
	if !utf8.Valid(v) {
		r.Err, r.rest = errUTF8, nil
		return ""
	}
	if r.within.lasts {
		return unsafe.String(unsafe.SliceData(v), len(v))
	}
	return string(v)
}

// Packed reads a field of several numbers.
func (r *Reader) Packed() Reader { return NewReader(r.View(), r.within) }

// More says whether there are more numbers.
func (r *Reader) More() bool { return len(r.rest) > 0 && r.Err == nil }

// Within takes over the error of one made by Packed or Entry.
func (r *Reader) Within(inner Reader) {
	if inner.Err != nil && r.Err == nil {
		r.Err, r.rest = inner.Err, nil
	}
}

// Entry reads a field that is an entry of a map.
func (r *Reader) Entry() Reader { return NewReader(r.View(), r.deeper()) }

func (r *Reader) deeper() Within { return Within{depth: r.within.depth - 1, lasts: r.within.lasts} }

// Skip goes past the field at hand.
func (r *Reader) Skip() {
	n := protowire.ConsumeFieldValue(protowire.Number(r.Key>>3), protowire.Type(r.Key&7), r.rest)
	if n < 0 {
		r.fail(n)
		return
	}
	r.rest = r.rest[n:]
}

// Unknown keeps the field at hand behind kept, its key as short as can be.
func (r *Reader) Unknown(kept []byte) []byte {
	if r.Skip(); r.Err != nil {
		return kept
	}
	key, n := protowire.ConsumeVarint(r.field)
	return append(protowire.AppendVarint(kept, key), r.field[n:len(r.field)-len(r.rest)]...)
}

// Message reads a field that is a message, into m.
func (r *Reader) Message(m interface {
	Unpack(data []byte, within Within) error
}) {
	v := r.View()
	if r.Err != nil {
		return
	}
	if r.within.depth <= 1 {
		r.Err, r.rest = errDepth, nil
		return
	}
	if err := m.Unpack(v, r.deeper()); err != nil {
		r.Err, r.rest = err, nil
	}
}

// Foreign reads a field that is a message of another library, into m.
func (r *Reader) Foreign(m proto.Message) {
	r.foreign(r.View(), m)
}

func (r *Reader) foreign(v []byte, m proto.Message) {
	if r.Err != nil {
		return
	}
	if r.within.depth <= 1 {
		r.Err, r.rest = errDepth, nil
		return
	}
	if err := (proto.UnmarshalOptions{Merge: true, RecursionLimit: r.within.depth - 1}).Unmarshal(v, m); err != nil {
		r.Err, r.rest = err, nil
	}
}

// Timestamp reads a field that is a time, into t.
func (r *Reader) Timestamp(t *timestamppb.Timestamp) {
	v := r.View()
	if !pair(v, &t.Seconds, &t.Nanos) {
		r.foreign(v, t)
	}
}

// Duration reads a field that is a length of time, into d.
func (r *Reader) Duration(d *durationpb.Duration) {
	v := r.View()
	if !pair(v, &d.Seconds, &d.Nanos) {
		r.foreign(v, d)
	}
}

// pair reads a time that has nothing but its two fields.
func pair(v []byte, seconds *int64, nanos *int32) bool {
	s, n := *seconds, *nanos
	r := NewReader(v, Within{depth: 1})
	for r.Next() {
		switch r.Key {
		case 1 << 3:
			s = int64(r.number())
		case 2 << 3:
			n = int32(r.number())
		default:
			return false
		}
	}
	if r.Err != nil {
		return false
	}
	*seconds, *nanos = s, n
	return true
}
