package answerlog

import (
	"slices"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/gen/packing"
	"google.golang.org/protobuf/encoding/protowire"
)

// measured is a chunk with its marshalled size.
type measured struct {
	chunk *conversationv1.Chunk
	plain bool // nothing but a sequence and a raw half, as most of a stream
	typed bool // no raw half
	raw   int  // size of the raw half
	size  int
}

// measure must be followed by append before the chunk changes.
func measure(chunk *conversationv1.Chunk) measured {
	m := measured{chunk: chunk}
	raw := chunk.GetRaw()
	if raw == nil || len(chunk.GetEvents()) > 0 || chunk.GetMore() || len(raw.ProtoReflect().GetUnknown()) > 0 || len(chunk.ProtoReflect().GetUnknown()) > 0 {
		m.size, m.typed = chunk.PackedSize(), raw == nil
		return m
	}
	m.plain = true
	m.raw = sizeNumber(uint64(raw.GetWire())) + sizeNumber(uint64(raw.GetForm())) + sizeNumber(uint64(raw.GetEventCount()))
	if n := len(raw.GetData()); n > 0 {
		m.raw += 1 + protowire.SizeBytes(n)
	}
	m.size = sizeNumber(uint64(chunk.GetSequence())) + 1 + protowire.SizeBytes(m.raw)
	return m
}

// append is what proto.Marshal writes; TestAppendPlain holds it to that.
func (m measured) append(dst []byte) ([]byte, error) {
	if !m.plain {
		return appendChunk(dst, m.chunk, m.size)
	}
	raw := m.chunk.GetRaw()
	dst = appendNumber(dst, 1, uint64(m.chunk.GetSequence()))
	dst = protowire.AppendVarint(protowire.AppendTag(dst, 3, protowire.BytesType), uint64(m.raw))
	dst = appendNumber(dst, 1, uint64(raw.GetWire()))
	dst = appendNumber(dst, 2, uint64(raw.GetForm()))
	if len(raw.GetData()) > 0 {
		dst = protowire.AppendBytes(protowire.AppendTag(dst, 3, protowire.BytesType), raw.GetData())
	}
	return appendNumber(dst, 4, uint64(raw.GetEventCount())), nil
}

// appendChunk appends a chunk of so many bytes.
func appendChunk(dst []byte, chunk *conversationv1.Chunk, size int) ([]byte, error) {
	from := len(dst)
	dst = slices.Grow(dst, size)[:from+size]
	return dst, packing.Into(dst[from:], chunk)
}

// sizeNumber is that of a field below 16.
func sizeNumber(v uint64) int {
	if v == 0 {
		return 0
	}
	return 1 + protowire.SizeVarint(v)
}

func appendNumber(dst []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, field, protowire.VarintType), v)
}
