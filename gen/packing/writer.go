package packing

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Writer fills a buffer from its end, so that the length of what lies within is
// known when its head is written. A key is a field's number and type as they stand
// on the wire.
type Writer struct {
	data []byte
	at   int
	err  error
}

// At is where the last thing written begins.
func (w *Writer) At() int { return w.at }

// room makes room for n bytes.
func (w *Writer) room(n int) bool {
	if n > w.at {
		w.err = errSize
		return false
	}
	w.at -= n
	return true
}

func (w *Writer) varint(v uint64) {
	if v < 0x80 {
		if w.room(1) {
			w.data[w.at] = byte(v)
		}
		return
	}
	if w.room(protowire.SizeVarint(v)) {
		binary.PutUvarint(w.data[w.at:], v)
	}
}

// Raw writes bytes as they are.
func (w *Writer) Raw(b []byte) {
	if len(b) > 0 && w.room(len(b)) {
		copy(w.data[w.at:], b)
	}
}

// Head writes the head of what was written since the writer was at end.
func (w *Writer) Head(key uint64, end int) {
	w.varint(uint64(end - w.at))
	w.varint(key)
}

// Number writes a number without a key, one of several.
func (w *Writer) Number(v uint64) { w.varint(v) }

// Varint writes a field that is a number, a truth or a name.
func (w *Writer) Varint(key, v uint64) {
	w.varint(v)
	w.varint(key)
}

// Bool writes a truth.
func (w *Writer) Bool(key uint64, v bool) {
	if v {
		w.Varint(key, 1)
		return
	}
	w.Varint(key, 0)
}

// Float32 writes a float without a key, one of several.
func (w *Writer) Float32(v float32) {
	if w.room(4) {
		binary.LittleEndian.PutUint32(w.data[w.at:], math.Float32bits(v))
	}
}

// Float64 writes a double without a key, one of several.
func (w *Writer) Float64(v float64) {
	if w.room(8) {
		binary.LittleEndian.PutUint64(w.data[w.at:], math.Float64bits(v))
	}
}

// Float writes a field that is a float.
func (w *Writer) Float(key uint64, v float32) {
	w.Float32(v)
	w.varint(key)
}

// Double writes a field that is a double.
func (w *Writer) Double(key uint64, v float64) {
	w.Float64(v)
	w.varint(key)
}

// Bytes writes a field that is bytes.
func (w *Writer) Bytes(key uint64, b []byte) {
	end := w.at
	w.Raw(b)
	w.Head(key, end)
}

// String writes a field that is text.
func (w *Writer) String(key uint64, s string) {
	if !utf8.ValidString(s) {
		w.err = errUTF8
	}
	end := w.at
	if w.room(len(s)) {
		copy(w.data[w.at:], s)
	}
	w.Head(key, end)
}

// Foreign writes a field that is a message of another library.
func (w *Writer) Foreign(key uint64, m proto.Message) {
	end := w.at
	b, err := proto.Marshal(m)
	if err != nil {
		w.err = err
	}
	w.Raw(b)
	w.Head(key, end)
}

// Timestamp writes a field that is a time.
func (w *Writer) Timestamp(key uint64, t *timestamppb.Timestamp) {
	w.pair(key, t.GetSeconds(), t.GetNanos(), t)
}

// Duration writes a field that is a length of time.
func (w *Writer) Duration(key uint64, d *durationpb.Duration) {
	w.pair(key, d.GetSeconds(), d.GetNanos(), d)
}

func (w *Writer) pair(key uint64, seconds int64, nanos int32, m proto.Message) {
	end := w.at
	w.Raw(m.ProtoReflect().GetUnknown())
	if nanos != 0 {
		w.Varint(2<<3, uint64(nanos))
	}
	if seconds != 0 {
		w.Varint(1<<3, uint64(seconds))
	}
	w.Head(key, end)
}
