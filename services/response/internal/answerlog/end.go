package answerlog

import (
	"encoding/binary"
	"slices"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/services/response/internal/alike"
	"google.golang.org/protobuf/proto"
)

// End is a log with the terminal chunk that it is to get, as it is stored.
type End struct {
	// Runs are the log's runs as it has them in memory: see alike.ParseRuns.
	Runs []byte

	lead  int   // of Runs, before the log's
	block block // the newest chunks and the terminal one
	size  int   // of the terminal one
}

// End appends what the log is stored as, with its terminal chunk, to dst. The
// log stays as it is until SealEnd. ok is false where some of it is not alike,
// which is better stored in another way.
func (l *Log) End(dst []byte, terminal *conversationv1.Chunk) (end End, ok bool, err error) {
	size := proto.Size(terminal)
	buffer := packing.Get().(*[]byte)
	defer giveBack(buffer)

	l.mu.Lock()
	defer l.mu.Unlock()
	frames := binary.AppendUvarint(append((*buffer)[:0], l.tail...), uint64(size))
	if frames, err = (proto.MarshalOptions{UseCachedSize: true}).MarshalAppend(frames, terminal); err != nil {
		return End{}, false, err
	}
	*buffer = frames
	packing := packing.Get().(*[]byte)
	defer giveBack(packing)
	packed, ok := l.packNewest((*packing)[:0], frames)
	if !ok {
		return End{}, false, nil
	}
	last, whole := len(packed), 0
	var room [4]int
	sizes := room[:0] // of the runs of blocks that were not packed
	for i := range l.blocks {
		b := &l.blocks[i]
		size := len(b.data)
		if !b.packed { // as the first often is, with what stands in no other event
			from := len(packed)
			if packed, ok = alike.Append(packed, b.data); !ok || b.bare {
				return End{}, false, nil
			}
			size = len(packed) - from
			sizes = append(sizes, size)
		}
		whole += binary.MaxVarintLen32 + size
	}
	*packing = packed
	lead := len(dst)
	dst = slices.Grow(dst, whole+binary.MaxVarintLen32+last)
	rest := packed[last:]
	for i := range l.blocks {
		data := l.blocks[i].data
		if !l.blocks[i].packed {
			data, rest, sizes = rest[:sizes[0]], rest[sizes[0]:], sizes[1:]
		}
		dst = append(binary.AppendUvarint(dst, uint64(len(data))), data...)
	}
	dst = append(binary.AppendUvarint(dst, uint64(last)), packed[:last]...)
	at := len(dst) - last
	return End{Runs: dst, lead: lead, block: block{first: l.first, packed: true, data: dst[at:len(dst):len(dst)]}, size: size}, true, nil
}

// packNewest appends the chunks behind the blocks, packed, where end is the tail and
// what comes behind it. ok is false where they are not alike.
func (l *Log) packNewest(dst, end []byte) (packed []byte, ok bool) {
	if len(l.open.pieces) == 0 {
		return alike.Append(dst, end)
	}
	size := l.open.size + len(end) - len(l.tail)
	packed = append(alike.Begin(dst, size), l.open.pieces...)
	packed = l.open.trail.Rest(packed, end)
	return packed, alike.Worth(len(packed), size)
}

// SealEnd adds the terminal chunk that end was made with and closes the log, to
// which nothing was added since. The log keeps end.Runs, which must not change
// any more, and nothing else.
func (l *Log) SealEnd(end End) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := end.Runs[end.lead:]
	for i := range l.blocks {
		b := &l.blocks[i]
		if !b.packed {
			recycle(b.data)
		}
		size, n := binary.Uvarint(rest)
		b.packed, b.data, rest = true, rest[n:n+int(size):n+int(size)], rest[n+int(size):]
	}
	l.dropTail()
	l.addBlock(end.block)
	l.sealed(end.size)
}
