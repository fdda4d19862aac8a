package eventstream

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// ErrCorrupt means that a binary message is not what its lengths and checksums
// say. Nothing can be read behind it.
var ErrCorrupt = errors.New("eventstream: a message is corrupt")

// The parts of a binary message (application/vnd.amazon.eventstream): the
// lengths of all and of the headers with a checksum, the headers, the payload, a
// checksum over everything before it. All numbers are big-endian. Source:
// https://docs.aws.amazon.com/lexv2/latest/dg/event-stream-encoding.html and
// https://smithy.io/2.0/aws/amazon-eventstream.html, as of 2026-11.
const (
	preludeSize    = 12
	checksumSize   = 4
	maxFrameHeader = 128 << 10 // as the specification has it
)

// Frame is a view of one binary message. All slices are borrowed from what it
// was read from.
type Frame struct {
	// Raw is the whole message.
	Raw []byte
	// Payload is what it carries.
	Payload []byte

	headers []byte
}

// Header returns the value of a header that is a string, or nil where there is
// none. The slice is borrowed.
func (f *Frame) Header(name string) []byte {
	for rest := f.headers; len(rest) > 0; {
		var key, value []byte
		var kind byte
		var ok bool
		if key, kind, value, rest, ok = nextHeader(rest); !ok {
			return nil
		}
		if kind == headerString && string(key) == name {
			return value
		}
	}
	return nil
}

// The kinds of header values.
const (
	headerTrue = iota
	headerFalse
	headerByte
	headerShort
	headerInt
	headerLong
	headerBytes
	headerString
	headerTime
	headerUUID
)

// nextHeader cuts the first header off.
func nextHeader(data []byte) (name []byte, kind byte, value, rest []byte, ok bool) {
	length := int(data[0])
	if length == 0 || len(data) < 1+length+1 {
		return nil, 0, nil, nil, false
	}
	name, kind, data = data[1:1+length], data[1+length], data[2+length:]
	size := 0
	switch kind {
	case headerTrue, headerFalse:
	case headerByte:
		size = 1
	case headerShort:
		size = 2
	case headerInt:
		size = 4
	case headerLong, headerTime:
		size = 8
	case headerUUID:
		size = 16
	case headerBytes, headerString:
		if len(data) < 2 {
			return nil, 0, nil, nil, false
		}
		size, data = int(binary.BigEndian.Uint16(data)), data[2:]
	default:
		return nil, 0, nil, nil, false
	}
	if len(data) < size {
		return nil, 0, nil, nil, false
	}
	return name, kind, data[:size:size], data[size:], true
}

// NextFrame cuts the first message off data. A message that is not whole yet is
// an empty Frame without an error. Errors are ErrCorrupt and, for a message
// longer than max, ErrTooLarge.
func NextFrame(data []byte, max int) (frame Frame, rest []byte, err error) {
	if len(data) < preludeSize {
		return Frame{}, data, nil
	}
	total, headers := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
	switch {
	case crc32.ChecksumIEEE(data[:8]) != binary.BigEndian.Uint32(data[8:]):
		return Frame{}, data, ErrCorrupt
	case headers > maxFrameHeader || uint64(total) < uint64(headers)+preludeSize+checksumSize:
		return Frame{}, data, ErrCorrupt
	case uint64(total) > uint64(max):
		return Frame{}, data, ErrTooLarge
	case len(data) < int(total):
		return Frame{}, data, nil
	}
	raw := data[:total:total]
	body := raw[:total-checksumSize]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(raw[total-checksumSize:]) {
		return Frame{}, data, ErrCorrupt
	}
	frame = Frame{Raw: raw, headers: body[preludeSize : preludeSize+headers], Payload: body[preludeSize+headers:]}
	for at := frame.headers; len(at) > 0; {
		var ok bool
		if _, _, _, at, ok = nextHeader(at); !ok {
			return Frame{}, data, ErrCorrupt
		}
	}
	return frame, data[total:], nil
}

// FrameHeader is a header that is a string. The name has 1 to 255 bytes, the
// value at most 65535; what is longer is cut.
type FrameHeader struct{ Name, Value string }

// AppendFrame appends a binary message.
func AppendFrame(dst []byte, headers []FrameHeader, payload []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, preludeSize)...)
	for _, h := range headers {
		name, value := h.Name[:min(len(h.Name), 255)], h.Value[:min(len(h.Value), 65535)]
		dst = append(append(dst, byte(len(name))), name...)
		dst = binary.BigEndian.AppendUint16(append(dst, headerString), uint16(len(value)))
		dst = append(dst, value...)
	}
	length := len(dst) - start - preludeSize
	dst = append(dst, payload...)
	prelude := dst[start:]
	binary.BigEndian.PutUint32(prelude, uint32(len(dst)-start+checksumSize))
	binary.BigEndian.PutUint32(prelude[4:], uint32(length))
	binary.BigEndian.PutUint32(prelude[8:], crc32.ChecksumIEEE(prelude[:8]))
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:]))
}

// FrameReader reads binary messages. It is not safe for concurrent use.
type FrameReader struct {
	window
	frames []Frame
}

// NewFrameReader returns a reader of the messages in src. It reads no more than
// it is asked to.
func NewFrameReader(src io.Reader, limits Limits) *FrameReader {
	return &FrameReader{window: newWindow(src, limits)}
}

// Next returns all messages that are complete after the least number of reads
// that completes one, at least one. They hold until the next call. Errors are
// those of the source, io.EOF between messages, ErrTruncated inside one,
// ErrTooLarge and ErrCorrupt; messages before a fault are given out first.
func (r *FrameReader) Next() ([]Frame, error) {
	r.frames = r.frames[:0]
	for {
		for r.start < len(r.buf) {
			frame, rest, err := NextFrame(r.buf[r.start:], r.max)
			if err != nil {
				r.err = err
				break
			}
			if frame.Raw == nil {
				break
			}
			r.frames = append(r.frames, frame)
			r.start = len(r.buf) - len(rest)
		}
		switch {
		case len(r.frames) > 0:
			return r.frames, nil
		case r.err != nil:
			return nil, r.ended()
		}
		r.fill()
	}
}
