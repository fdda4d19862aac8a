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

	block block // the newest chunks and the terminal one
	size  int   // of the terminal one
}

// End appends what the log is stored as, with its terminal chunk, to dst. The
// log stays as it is until SealEnd. ok is false where some of it is not packed,
// which is better stored in another way.
func (l *Log) End(dst []byte, terminal *conversationv1.Chunk) (end End, ok bool, err error) {
	size := proto.Size(terminal)
	buffer := packing.Get().(*[]byte)
	defer giveBack(buffer)

	l.mu.Lock()
	defer l.mu.Unlock()
	whole := 0
	for i := range l.blocks {
		if !l.blocks[i].packed {
			return End{}, false, nil
		}
		whole += binary.MaxVarintLen32 + len(l.blocks[i].data)
	}
	frames := binary.AppendUvarint(append((*buffer)[:0], l.tail...), uint64(size))
	if frames, err = (proto.MarshalOptions{UseCachedSize: true}).MarshalAppend(frames, terminal); err != nil {
		return End{}, false, err
	}
	*buffer = frames
	packing := packing.Get().(*[]byte)
	defer giveBack(packing)
	packed, ok := alike.Append((*packing)[:0], frames)
	if !ok {
		return End{}, false, nil
	}
	*packing = packed
	dst = slices.Grow(dst, whole+binary.MaxVarintLen32+len(packed))
	for i := range l.blocks {
		data := l.blocks[i].data
		dst = append(binary.AppendUvarint(dst, uint64(len(data))), data...)
	}
	dst = append(binary.AppendUvarint(dst, uint64(len(packed))), packed...)
	at := len(dst) - len(packed)
	return End{Runs: dst, block: block{first: l.first, packed: true, data: dst[at:len(dst):len(dst)]}, size: size}, true, nil
}

// SealEnd adds the terminal chunk that end was made with and closes the log, to
// which nothing was added since. The log keeps end.Runs, which must not change
// any more.
func (l *Log) SealEnd(end End) {
	l.mu.Lock()
	defer l.mu.Unlock()
	recycle(l.tail)
	l.tail = nil
	l.addBlock(end.block)
	l.sealed(end.size)
}
