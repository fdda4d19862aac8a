package packing

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	standard "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// Codec is gRPC's codec of protobuf messages. Those without generated packers,
// of health and reflection, are left to gRPC's own. Its zero value is ready.
type Codec struct{}

// Name implements encoding.CodecV2.
func (Codec) Name() string { return standard.Name }

// Marshal implements encoding.CodecV2.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(Message)
	if !ok {
		return encoding.GetCodecV2(standard.Name).Marshal(v)
	}
	size := m.PackedSize()
	if mem.IsBelowBufferPoolingThreshold(size) {
		data := make([]byte, size)
		if err := Into(data, m); err != nil {
			return nil, err
		}
		return mem.BufferSlice{mem.SliceBuffer(data)}, nil
	}
	pool := mem.DefaultBufferPool()
	data := pool.Get(size)
	if err := Into((*data)[:size], m); err != nil {
		pool.Put(data)
		return nil, err
	}
	return mem.BufferSlice{mem.NewBuffer(data, pool)}, nil
}

// Unmarshal implements encoding.CodecV2.
func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(Message)
	if !ok {
		return encoding.GetCodecV2(standard.Name).Unmarshal(data, v)
	}
	if err := unmarshal(data, m); err != nil {
		return fmt.Errorf("%T: %w", v, err)
	}
	return nil
}

// lastingMost bounds the messages whose text stays in one piece of memory: a name
// that somebody keeps holds no more than that.
const lastingMost = 16 << 10

func unmarshal(data mem.BufferSlice, m Message) error {
	if n := data.Len(); n <= lastingMost {
		own := make([]byte, n)
		data.CopyTo(own)
		return UnmarshalLasting(own, m)
	}
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buffer.Free()
	return Unmarshal(buffer.ReadOnlyData(), m)
}
