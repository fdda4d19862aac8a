package events

import (
	"encoding/binary"
	"time"

	"github.com/gptmesh/gptmesh/pkg/ids"
	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of the fields that a recorder sets, of Event, Timestamp and Any.
const (
	fieldID, fieldType, fieldVersion, fieldTime   = 1, 2, 3, 4
	fieldOwner, fieldKey, fieldCorrelation        = 5, 7, 8
	fieldCausation, fieldSource, fieldPayload     = 9, 10, 11
	fieldSeconds, fieldNanos, fieldURL, fieldData = 1, 2, 1, 2
)

const urlPrefix = "type.googleapis.com/"

// Unpack returns a record in its plain form: of each event the length and the
// marshalled message. A record that has none of the packed ones is returned as it
// is.
func Unpack(record []byte) ([]byte, error) {
	var out []byte
	for rest := record; len(rest) > 0; {
		size, n := binary.Uvarint(rest)
		if n <= 0 || uint64(len(rest)-n) < size {
			return nil, errRecord
		}
		if size > 0 { // a plain event
			if out != nil {
				out = append(out, rest[:n+int(size)]...)
			}
			rest = rest[n+int(size):]
			continue
		}
		if out == nil {
			out = append(make([]byte, 0, 3*len(record)), record[:len(record)-len(rest)]...)
		}
		size, m := binary.Uvarint(rest[n:])
		if m <= 0 || uint64(len(rest)-n-m) < size {
			return nil, errRecord
		}
		d := decoder{rest: rest[n+m : n+m+int(size)]}
		if out = d.events(out); d.broken {
			return nil, errRecord
		}
		rest = rest[n+m+int(size):]
	}
	if out == nil {
		return record, nil
	}
	return out, nil
}

// decoder reads a packed record. After broken what it returns means nothing.
type decoder struct {
	rest           []byte
	entries        [maxEntries][]byte
	n              int
	broken         bool
	event, payload []byte
}

// events appends all events as a plain record.
func (d *decoder) events(out []byte) []byte {
	source, correlation := d.text(), d.text()
	before := ""
	for len(d.rest) > 0 && !d.broken {
		flags := d.take(1)
		random := d.take(len(ids.Random{}))
		seconds, nanos := d.signed(), d.number()
		if d.broken {
			break
		}
		id := ids.Of("evt", time.Unix(seconds, int64(nanos)), ids.Random(random))
		kind, owner, key := d.text(), d.text(), d.text()
		causation := []byte(before)
		if flags[0]&causedBefore == 0 {
			causation = d.text()
		}
		d.event = appendText(d.event[:0], fieldID, []byte(id))
		d.event = appendText(d.event, fieldType, kind)
		d.event = appendNumber(d.event, fieldVersion, 1)
		d.payload = appendNumber(d.payload[:0], fieldSeconds, uint64(seconds))
		d.payload = appendNumber(d.payload, fieldNanos, nanos)
		d.event = appendBytes(d.event, fieldTime, d.payload)
		d.event = appendText(d.event, fieldOwner, owner)
		d.event = appendText(d.event, fieldKey, key)
		d.event = appendText(d.event, fieldCorrelation, correlation)
		d.event = appendText(d.event, fieldCausation, causation)
		d.event = appendText(d.event, fieldSource, source)
		if flags[0]&hasPayload != 0 {
			d.message(kind, flags[0])
		}
		out = binary.AppendUvarint(out, uint64(len(d.event)))
		out = append(out, d.event...)
		before = id
	}
	return out
}

// message adds the payload of an event of a type.
func (d *decoder) message(kind []byte, flags byte) {
	var room [96]byte
	name := room[:0]
	if flag := flags & (nameOfType | nameOfVerb); flag != 0 {
		name = appendName(name, string(kind), flag)
	} else {
		name = append(name, d.text()...)
	}
	d.payload = d.payload[:0]
	for !d.broken {
		d.payload = append(d.payload, d.take(d.length())...)
		switch mark := d.number(); {
		case mark == markEnd:
			size := protowire.SizeTag(fieldURL) + protowire.SizeBytes(len(urlPrefix)+len(name))
			if len(d.payload) > 0 {
				size += protowire.SizeTag(fieldData) + protowire.SizeBytes(len(d.payload))
			}
			d.event = protowire.AppendVarint(protowire.AppendTag(d.event, fieldPayload, protowire.BytesType), uint64(size))
			d.event = protowire.AppendVarint(protowire.AppendTag(d.event, fieldURL, protowire.BytesType), uint64(len(urlPrefix)+len(name)))
			d.event = append(append(d.event, urlPrefix...), name...)
			if len(d.payload) > 0 {
				d.event = appendBytes(d.event, fieldData, d.payload)
			}
			return
		case mark == markNew:
			text := d.take(d.length())
			d.add(text)
			d.payload = append(d.payload, text...)
		default:
			d.payload = append(d.payload, d.entry(mark-markEntry)...)
		}
	}
}

func (d *decoder) text() []byte {
	n := d.number()
	switch {
	case n&1 == 1:
		return d.entry(n >> 1)
	case n>>1 > uint64(len(d.rest)):
		d.broken = true
		return nil
	case n == 0:
		return nil
	}
	text := d.take(int(n >> 1))
	d.add(text)
	return text
}

func (d *decoder) entry(n uint64) []byte {
	if n >= uint64(d.n) {
		d.broken = true
		return nil
	}
	return d.entries[n]
}

func (d *decoder) add(text []byte) {
	if d.n < maxEntries {
		d.entries[d.n] = text
		d.n++
	}
}

// take returns the next bytes: none where there are fewer.
func (d *decoder) take(n int) []byte {
	if n > len(d.rest) {
		d.broken, d.rest = true, nil
		return nil
	}
	piece := d.rest[:n]
	d.rest = d.rest[n:]
	return piece
}

// length is a number of bytes that are there.
func (d *decoder) length() int {
	n := d.number()
	if n > uint64(len(d.rest)) {
		d.broken = true
		return 0
	}
	return int(n)
}

func (d *decoder) number() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.broken, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) signed() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.broken, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// appendText appends a field unless it is empty.
func appendText(b []byte, field protowire.Number, text []byte) []byte {
	if len(text) == 0 {
		return b
	}
	return appendBytes(b, field, text)
}

// appendNumber appends a field unless it is zero.
func appendNumber(b []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

func appendBytes(b []byte, field protowire.Number, data []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), data)
}
