package sqlite

import (
	"encoding/binary"
	"slices"
	"sync"

	"github.com/gptmesh/gptmesh/gen/packing"
	lib "modernc.org/sqlite/lib"
)

// Values are a statement's arguments, in their order, as a record of the journal
// has them: a row takes one allocation instead of one for each column. They hold
// at most 127, must not be used once one of them was refused, and what they are made of may be changed, but for Lend and Borrow.
//
// A copy shares what was added before it was made: add to one of both only.
type Values struct {
	packed []byte // a count, and each a tag and what follows it
	room   *room  // what packed lies in, and what was lent; nil for neither
}

// room is memory that values lie in until they are released.
type room struct {
	bytes []byte

	lent     []byte // stands in packed before from
	from     int
	borrowed bool // lent may change once the statement was taken
}

// maxRoom is the largest room that is kept for reuse.
const maxRoom = 32 << 10

var rooms = sync.Pool{New: func() any { return new(room) }}

// NewValues are none, with room for size bytes: three for an integer that is
// small, ten for one that is large, and two more than it has for a text.
func NewValues(size int) Values {
	r := rooms.Get().(*room)
	if cap(r.bytes) < 1+size {
		r.bytes = make([]byte, 0, max(1+size, 512))
	}
	return Values{packed: append(r.bytes[:0], 0), room: r}
}

// Release gives the memory back that the values lie in, once their statement was
// run, or Later or Instead has returned, which keep what they need. It may be left
// out; after it neither the values nor a copy of them may be used.
func (v *Values) Release() {
	r := v.room
	if r == nil || r.bytes == nil {
		return
	}
	packed := v.packed
	*v = Values{}
	poison(packed)
	if cap(packed) > maxRoom {
		return
	}
	*r = room{bytes: packed[:0]}
	rooms.Put(r)
}

// add begins a value.
func (v *Values) add(tag byte) {
	if len(v.packed) == 0 {
		v.packed = make([]byte, 1, 64)
	}
	if v.packed[0] == 127 {
		panic("sqlite: more than 127 values")
	}
	v.packed[0]++
	v.packed = append(v.packed, tag)
}

// Null adds NULL.
func (v *Values) Null() { v.add(tagNil) }

// Int adds an integer.
func (v *Values) Int(n int64) {
	v.add(tagInteger)
	v.packed = binary.AppendVarint(v.packed, n)
}

// Bool adds 0 or 1.
func (v *Values) Bool(b bool) {
	if b {
		v.add(tagTrue)
	} else {
		v.add(tagFalse)
	}
}

// Text adds a text.
func (v *Values) Text(s string) {
	v.add(tagText)
	v.packed = append(binary.AppendUvarint(v.packed, uint64(len(s))), s...)
}

// Blob adds bytes, NULL where they are nil.
func (v *Values) Blob(b []byte) {
	if b == nil {
		v.Null()
		return
	}
	v.add(tagBlob)
	v.packed = append(binary.AppendUvarint(v.packed, uint64(len(b))), b...)
}

// Message is Blob of a marshalled message.
func (v *Values) Message(m packing.Message) error {
	size := m.PackedSize()
	v.add(tagBlob)
	packed := slices.Grow(binary.AppendUvarint(v.packed, uint64(size)), size)
	from := len(packed)
	packed = packed[:from+size]
	err := packing.Into(packed[from:], m)
	if err == nil {
		v.packed = packed
	}
	return err
}

// Lend is Blob for many bytes that nobody changes any more: they are not copied.
// Of a second one they are.
func (v *Values) Lend(b []byte) { v.lend(b, false) }

// Borrow is Lend of bytes that nobody changes until the values could be released.
func (v *Values) Borrow(b []byte) { v.lend(b, true) }

func (v *Values) lend(b []byte, borrowed bool) {
	if len(b) == 0 || v.room != nil && v.room.lent != nil {
		v.Blob(b)
		return
	}
	v.add(tagBlob)
	v.packed = binary.AppendUvarint(v.packed, uint64(len(b)))
	if v.room == nil {
		v.room = new(room)
	}
	v.room.lent, v.room.from, v.room.borrowed = b, len(v.packed), borrowed
}

// Begin are new values that begin as v does, with room for size bytes more. v must
// have nothing that was lent.
func (v Values) Begin(size int) Values {
	begun := NewValues(len(v.packed) + size)
	begun.packed = append(begun.packed[:0], v.packed...)
	return begun
}

// Apart are the values in memory of their own size, for who keeps them for long, and v is
// released. v must have nothing that was lent.
func (v *Values) Apart() Values {
	apart := Values{packed: slices.Clip(slices.Clone(v.packed))}
	v.Release()
	return apart
}

// none tells whether these are not used.
func (v Values) none() bool { return len(v.packed) == 0 }

func (v Values) size() int { return len(v.packed) + len(v.lent()) }

func (v Values) lent() []byte {
	if v.room == nil {
		return nil
	}
	return v.room.lent
}

// appendTo appends them as a record has them.
func (v Values) appendTo(dst []byte) []byte {
	lent := v.lent()
	if lent == nil {
		return append(dst, v.packed...)
	}
	dst = append(append(dst, v.packed[:v.room.from]...), lent...)
	return append(dst, v.packed[v.room.from:]...)
}

// bindValues gives a statement that runs to its end before the next one is bound
// its arguments. They lie in c.room as they are packed.
func (c *conn) bindValues(s *prepared, v Values) error {
	if count := int(v.packed[0]); count < s.params {
		return missing(count, s.params)
	}
	if err := c.room.begin(c.tls, v.size()); err != nil {
		return err
	}
	return c.bindPacked(s, v, c.room.at, 0, s.params)
}

// bindPacked binds n values that are to lie at begin to the parameters behind some.
func (c *conn) bindPacked(s *prepared, v Values, begin uintptr, behind int32, n int) error {
	all := v.appendTo(memory(begin, v.size())[:0])
	rest := all[1:]
	for place := behind + 1; place <= behind+int32(n); place++ {
		tag := rest[0]
		rest = rest[1:]
		var rc int32
		switch tag {
		case tagFalse, tagTrue:
			rc = lib.Xsqlite3_bind_int64(c.tls, s.handle, place, int64(tag-tagFalse))
		case tagInteger:
			n, size := binary.Varint(rest)
			rest = rest[size:]
			rc = lib.Xsqlite3_bind_int64(c.tls, s.handle, place, n)
		case tagText, tagBlob:
			length, size := binary.Uvarint(rest)
			at := begin + uintptr(len(all)-len(rest)+size)
			rest = rest[size+int(length):]
			if tag == tagText {
				rc = lib.Xsqlite3_bind_text64(c.tls, s.handle, place, at, length, 0, lib.SQLITE_UTF8)
			} else {
				rc = lib.Xsqlite3_bind_blob64(c.tls, s.handle, place, at, length, 0)
			}
		default:
			rc = lib.Xsqlite3_bind_null(c.tls, s.handle, place)
		}
		if rc != lib.SQLITE_OK {
			return c.failed(rc)
		}
	}
	return nil
}
