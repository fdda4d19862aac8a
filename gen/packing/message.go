package packing

import (
	"errors"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Message is what the generated code makes of a message.
type Message interface {
	proto.Message
	Reset()
	// PackedSize is the length of the message on the wire.
	PackedSize() int
	// Pack writes the message before what w holds.
	Pack(w *Writer)
	// Unpack merges what stands on the wire into the message.
	Unpack(data []byte, within Within) error
}

// Within says what holds for all of a message that is read.
type Within struct {
	depth int  // how deep messages may lie in it
	lasts bool // its bytes do not change any more: text and bytes stay in them
}

// maxDepth is how deep messages may lie in each other.
const maxDepth = protowire.DefaultRecursionLimit

var (
	errUTF8  = errors.New("packing: a string is not UTF-8")
	errDepth = errors.New("packing: messages lie too deep in each other")
	errSize  = errors.New("packing: a message was changed while it was written")
)

// Append writes m behind dst.
func Append(dst []byte, m Message) ([]byte, error) {
	size := m.PackedSize()
	from := len(dst)
	if cap(dst)-from < size {
		dst = append(make([]byte, 0, from+size), dst...)
	}
	dst = dst[:from+size]
	if err := Into(dst[from:], m); err != nil {
		return nil, err
	}
	return dst, nil
}

// MarshalAppend is Append of any message: those without generated packers are left
// to the library.
func MarshalAppend(dst []byte, m proto.Message) ([]byte, error) {
	if own, ok := m.(Message); ok {
		return Append(dst, own)
	}
	return proto.MarshalOptions{}.MarshalAppend(dst, m)
}

// Into writes m into dst, which is of its size.
func Into(dst []byte, m Message) error {
	w := writers.Get().(*Writer)
	*w = Writer{data: dst, at: len(dst)}
	m.Pack(w)
	err := w.err
	if err == nil && w.at != 0 {
		err = errSize
	}
	*w = Writer{}
	writers.Put(w)
	return err
}

var writers = sync.Pool{New: func() any { return new(Writer) }}

// Unmarshal makes m what stands on the wire. Nothing of data is kept.
func Unmarshal(data []byte, m Message) error {
	m.Reset()
	return m.Unpack(data, Within{depth: maxDepth})
}

// UnmarshalLasting is Unmarshal of bytes that nobody changes or uses again: the
// message's text and bytes stay in them, and hold them.
func UnmarshalLasting(data []byte, m Message) error {
	m.Reset()
	return m.Unpack(data, Within{depth: maxDepth, lasts: true})
}
