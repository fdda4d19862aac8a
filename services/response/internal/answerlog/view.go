package answerlog

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// View is a chunk that entries are read into, one after the other.
type View struct {
	chunk conversationv1.Chunk
	raw   conversationv1.RawChunk
}

// Read reads an entry. The raw half's bytes lie in entry; the rest is the view's
// until the next one. Beside a raw half, events that tell of the start or of usage may be
// left out.
func (v *View) Read(entry []byte) (*conversationv1.Chunk, error) {
	v.chunk.Reset()
	if v.rawOnly(entry) {
		v.chunk.Raw = &v.raw
		return &v.chunk, nil
	}
	return &v.chunk, proto.Unmarshal(entry, &v.chunk)
}

// rawOnly reads a chunk that holds a raw half and no events but those that may be left
// out, as most of a stream do, except for its sequence; false for any other.
func (v *View) rawOnly(entry []byte) bool {
	found := false
	for len(entry) > 0 {
		number, kind, n := protowire.ConsumeTag(entry)
		if n < 0 {
			return false
		}
		entry = entry[n:]
		switch {
		case number == 1 && kind == protowire.VarintType:
			if _, n = protowire.ConsumeVarint(entry); n < 0 {
				return false
			}
		case number == 2 && kind == protowire.BytesType && !found:
			var event []byte
			if event, n = protowire.ConsumeBytes(entry); n < 0 || !aside(event) {
				return false
			}
		case number == 3 && kind == protowire.BytesType && !found:
			var body []byte
			if body, n = protowire.ConsumeBytes(entry); n < 0 {
				return false
			}
			if found = v.readRaw(body); !found {
				return false
			}
		default:
			return false
		}
		entry = entry[n:]
	}
	return found
}

// aside says that an event tells of the start or of usage.
func aside(event []byte) bool {
	number, kind, n := protowire.ConsumeTag(event)
	if n < 0 || kind != protowire.BytesType || number != 1 && number != 7 {
		return false
	}
	_, size := protowire.ConsumeBytes(event[n:])
	return n+size == len(event)
}

func (v *View) readRaw(body []byte) bool {
	raw := &v.raw
	raw.Wire, raw.Form, raw.Data, raw.EventCount = 0, 0, nil, 0
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return false
		}
		body = body[n:]
		switch {
		case kind == protowire.BytesType && number == 3:
			if raw.Data, n = protowire.ConsumeBytes(body); n < 0 {
				return false
			}
		case kind == protowire.VarintType && (number == 1 || number == 2 || number == 4):
			var v uint64
			if v, n = protowire.ConsumeVarint(body); n < 0 {
				return false
			}
			switch number {
			case 1:
				raw.Wire = conversationv1.Wire(v)
			case 2:
				raw.Form = conversationv1.RawForm(v)
			case 4:
				raw.EventCount = int32(v)
			}
		default:
			return false
		}
		body = body[n:]
	}
	return true
}
