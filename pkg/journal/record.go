package journal

import (
	"encoding/binary"
	"hash/crc32"
)

// Record is one record.
type Record struct {
	// Sequence is its number, from 1, higher than that of all records before.
	Sequence uint64
	// Replaces is the number of an earlier record of the same store in whose
	// place this one is, or 0.
	Replaces uint64
	// Store is the name of the store.
	Store string
	// Body is what the store gave.
	Body []byte
}

// A record on disk: checksum of all behind it, length of the body, sequence,
// replaces, length of the name, name, body. Numbers are little endian.
const headSize = 4 + 4 + 8 + 8 + 1

// maxRecord bounds a record's body.
const maxRecord = 1 << 30

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Body is what a record is made of.
type Body interface {
	// Size is about how many bytes AppendTo appends.
	Size() int
	// AppendTo appends the body's bytes to dst.
	AppendTo(dst []byte) []byte
}

// appendRecord appends a record to dst.
func appendRecord(dst []byte, sequence, replaces uint64, store string, body Body) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, headSize)...)
	dst = append(dst, store...)
	from := len(dst)
	dst = body.AppendTo(dst)
	head := dst[start:]
	binary.LittleEndian.PutUint32(head[4:], uint32(len(dst)-from))
	binary.LittleEndian.PutUint64(head[8:], sequence)
	binary.LittleEndian.PutUint64(head[16:], replaces)
	head[24] = byte(len(store))
	binary.LittleEndian.PutUint32(head, crc32.Checksum(head[4:], castagnoli))
	return dst
}

// parse reads the record at the beginning of data, whose number must be higher
// than after. size is 0 where there is none. The body points into data.
func parse(data []byte, after uint64) (record Record, size int) {
	if len(data) < headSize {
		return Record{}, 0
	}
	length := binary.LittleEndian.Uint32(data[4:])
	record.Sequence = binary.LittleEndian.Uint64(data[8:])
	record.Replaces = binary.LittleEndian.Uint64(data[16:])
	from := headSize + int(data[24])
	if length > maxRecord || record.Sequence <= after || len(data)-from < int(length) || len(data) < from {
		return Record{}, 0
	}
	size = from + int(length)
	if crc32.Checksum(data[4:size], castagnoli) != binary.LittleEndian.Uint32(data) {
		return Record{}, 0
	}
	record.Store = string(data[headSize:from])
	record.Body = data[from:size:size]
	return record, size
}
