package answerlog

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// View reads an entry into chunk. The raw half's bytes lie in entry.
func View(entry []byte, chunk *conversationv1.Chunk) error {
	if raw, ok := rawOnly(entry); ok {
		proto.Reset(chunk)
		chunk.Raw = raw
		return nil
	}
	return proto.Unmarshal(entry, chunk)
}

// rawOnly reads a chunk that holds a raw half and no events, as most of a stream
// do, except for its sequence; ok is false for any other.
func rawOnly(entry []byte) (raw *conversationv1.RawChunk, ok bool) {
	for len(entry) > 0 {
		number, kind, n := protowire.ConsumeTag(entry)
		if n < 0 {
			return nil, false
		}
		entry = entry[n:]
		switch {
		case number == 1 && kind == protowire.VarintType:
			if _, n = protowire.ConsumeVarint(entry); n < 0 {
				return nil, false
			}
		case number == 3 && kind == protowire.BytesType && raw == nil:
			var body []byte
			if body, n = protowire.ConsumeBytes(entry); n < 0 {
				return nil, false
			}
			if raw, ok = rawOf(body); !ok {
				return nil, false
			}
		default:
			return nil, false
		}
		entry = entry[n:]
	}
	return raw, raw != nil
}

func rawOf(body []byte) (*conversationv1.RawChunk, bool) {
	raw := &conversationv1.RawChunk{}
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return nil, false
		}
		body = body[n:]
		switch {
		case kind == protowire.BytesType && number == 3:
			if raw.Data, n = protowire.ConsumeBytes(body); n < 0 {
				return nil, false
			}
		case kind == protowire.VarintType && (number == 1 || number == 2 || number == 4):
			var v uint64
			if v, n = protowire.ConsumeVarint(body); n < 0 {
				return nil, false
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
			return nil, false
		}
		body = body[n:]
	}
	return raw, true
}
