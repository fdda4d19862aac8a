package events

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gptmesh/gptmesh/gen/packing"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"google.golang.org/protobuf/encoding/protowire"
)

// Events of one record say the same over and over: the ids of a turn in the
// event and in its payload, names of types, the cause. A packed record says each
// text once: after a zero, which no plain record begins with, its length, the
// source, the correlation and the events. Unpack makes of it the plain record,
// whose events are protobuf, each behind its length.
//
// A text is 0 where it is empty; twice its length and its bytes, which are a new
// entry of the table then; or twice the number of an entry plus 1. An event is
// its flags, the random bits of its id, seconds and nanoseconds, type, owner,
// key, causation and payload. A payload is its message's name, then lengths with
// bytes as they are, each before a mark: markEnd, markNew with a length and the
// bytes of a new entry, or the number of an entry plus markEntry.

// Flags of a packed event.
const (
	causedBefore = 1 << iota // the causation is the event before
	hasPayload
	nameOfType // the payload's message is named after the type: see typeName
	nameOfVerb
)

const (
	markEnd, markNew, markEntry = 0, 1, 2
	// maxEntries bounds the table. Texts of a payload from minEntry to maxEntry
	// bytes become entries: ids do.
	maxEntries, minEntry, maxEntry = 32, 12, 64
	// maxDepth is how far messages within payloads are looked into.
	maxDepth = 2
)

// encoder writes packed records.
type encoder struct {
	record, payload, name []byte
	texts                 []byte           // of the table
	entries               [maxEntries]spot // where in texts
	n                     int              // entries
	spots                 []spot           // within a payload: what may be an entry
}

type spot struct{ from, to int }

// headRoom is how much of a record stands before the source at most.
const headRoom = 1 + binary.MaxVarintLen64

// begin starts a record.
func (e *encoder) begin(source, correlation string) {
	e.record, e.texts, e.n = append(e.record[:0], make([]byte, headRoom)...), e.texts[:0], 0
	e.text(source)
	e.text(correlation)
}

// end is the record, which is whole.
func (e *encoder) end() []byte {
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(len(e.record)-headRoom))
	record := e.record[headRoom-1-n:]
	record[0] = 0
	copy(record[1:], length[:n])
	return record
}

// append adds an event; first says that none was before.
func (e *encoder) append(ctx context.Context, d *Draft, correlation string, first bool) {
	at := d.Time
	if at.IsZero() {
		at = time.Now()
	}
	owner, causation, flags := d.Owner, d.Causation, byte(0)
	if owner == "" {
		owner = callctx.Owner(ctx)
	}
	if causation == "" {
		if first {
			causation = correlation
		} else {
			flags |= causedBefore
		}
	}
	payload, err := packing.MarshalAppend(e.payload[:0], d.Payload)
	if err == nil {
		e.payload = payload
		flags |= hasPayload
	} // else it is text that is not UTF-8, which a client chose: that it happened is told all the same
	name := d.Payload.ProtoReflect().Descriptor().FullName()
	for _, flag := range []byte{nameOfType, nameOfVerb} {
		if e.name = appendName(e.name[:0], d.Type, flag); string(e.name) == string(name) {
			flags |= flag
			break
		}
	}
	random := ids.NewRandom()
	e.record = append(append(e.record, flags), random[:]...)
	e.record = binary.AppendVarint(e.record, at.Unix())
	e.record = binary.AppendUvarint(e.record, uint64(at.Nanosecond()))
	e.text(d.Type)
	e.text(owner)
	e.text(d.Key)
	if flags&causedBefore == 0 {
		e.text(causation)
	}
	if flags&hasPayload == 0 {
		return
	}
	if flags&(nameOfType|nameOfVerb) == 0 {
		e.text(string(name))
	}
	e.spots = e.spots[:0]
	e.find(payload, 0, 0)
	from := 0
	for _, s := range e.spots {
		text := payload[s.from:s.to]
		entry := e.entry(text)
		if entry < 0 && e.n == maxEntries {
			continue
		}
		e.record = binary.AppendUvarint(e.record, uint64(s.from-from))
		e.record = append(e.record, payload[from:s.from]...)
		if entry >= 0 {
			e.record = binary.AppendUvarint(e.record, uint64(markEntry+entry))
		} else {
			e.record = binary.AppendUvarint(append(e.record, markNew), uint64(len(text)))
			e.record = append(e.record, text...)
			e.add(text)
		}
		from = s.to
	}
	e.record = binary.AppendUvarint(e.record, uint64(len(payload)-from))
	e.record = append(append(e.record, payload[from:]...), markEnd)
}

// text adds a text, mended where it is not UTF-8.
func (e *encoder) text(text string) {
	if text == "" {
		e.record = append(e.record, 0)
		return
	}
	for i, s := range e.entries[:e.n] {
		if s.to-s.from == len(text) && string(e.texts[s.from:s.to]) == text {
			e.record = append(e.record, byte(i)<<1|1)
			return
		}
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	e.record = binary.AppendUvarint(e.record, uint64(len(text))<<1)
	from := len(e.record)
	e.record = append(e.record, text...)
	e.add(e.record[from:])
}

// entry is the number of a text in the table, -1 where it is not there.
func (e *encoder) entry(text []byte) int {
	for i, s := range e.entries[:e.n] {
		if s.to-s.from == len(text) && bytes.Equal(e.texts[s.from:s.to], text) {
			return i
		}
	}
	return -1
}

// add makes a text an entry, unless the table is full.
func (e *encoder) add(text []byte) {
	if e.n == maxEntries {
		return
	}
	e.entries[e.n] = spot{len(e.texts), len(e.texts) + len(text)}
	e.texts = append(e.texts, text...)
	e.n++
}

// find notes the texts of a marshalled message, which begins at a place of the
// payload. What it takes for a message may be none: false then, and nothing is
// noted.
func (e *encoder) find(message []byte, at, depth int) bool {
	before := len(e.spots)
	for rest := message; len(rest) > 0; {
		_, kind, n := protowire.ConsumeTag(rest)
		if n < 0 {
			e.spots = e.spots[:before]
			return false
		}
		rest = rest[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(1, kind, rest); n < 0 {
				e.spots = e.spots[:before]
				return false
			}
			rest = rest[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(rest)
		if n < 0 {
			e.spots = e.spots[:before]
			return false
		}
		rest = rest[n:]
		to := at + len(message) - len(rest)
		switch {
		case len(value) < minEntry:
		case len(value) <= maxEntry:
			e.spots = append(e.spots, spot{to - len(value), to})
		case depth < maxDepth:
			e.find(value, to-len(value), depth+1)
		}
	}
	return true
}

// appendName appends how a payload's message is named after its event's type, as
// a flag says: that of "a.b_c" is gptmesh.a.v1.ABC or gptmesh.a.v1.BC.
func appendName(dst []byte, kind string, flag byte) []byte {
	room, verb, _ := strings.Cut(kind, ".")
	dst = append(append(append(dst, "gptmesh."...), room...), ".v1."...)
	if flag == nameOfType {
		verb = kind
	}
	upper := true
	for i := range len(verb) {
		c := verb[i]
		switch {
		case c == '.' || c == '_':
			upper = true
			continue
		case upper && c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		upper = false
		dst = append(dst, c)
	}
	return dst
}
