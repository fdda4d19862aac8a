package events

import (
	"context"
	"encoding/binary"
	"strings"
	"sync"
	"time"

	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// The numbers of the fields that a recorder sets, of Event, Timestamp and Any.
const (
	fieldID, fieldType, fieldVersion, fieldTime   = 1, 2, 3, 4
	fieldOwner, fieldKey, fieldCorrelation        = 5, 7, 8
	fieldCausation, fieldSource, fieldPayload     = 9, 10, 11
	fieldSeconds, fieldNanos, fieldURL, fieldData = 1, 2, 1, 2
)

const urlPrefix = "type.googleapis.com/"

// encoder writes events of a turn's way, where a message in an Any in a message
// and what each of them allocates would cost more than the row that they tell
// of. TestEncode holds it to what proto.Marshal writes.
type encoder struct{ record, event, inner, payload []byte }

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// append adds an event to the record and returns its id.
func (e *encoder) append(ctx context.Context, d *Draft, source, correlation, before string) string {
	at := d.Time
	if at.IsZero() {
		at = time.Now()
	}
	id, owner, causation := ids.At("evt", at), d.Owner, d.Causation
	if owner == "" {
		owner = callctx.Owner(ctx)
	}
	if causation == "" {
		causation = before
	}
	e.event = appendText(e.event[:0], fieldID, id)
	e.event = appendText(e.event, fieldType, d.Type)
	e.event = appendNumber(e.event, fieldVersion, 1)
	e.inner = appendNumber(e.inner[:0], fieldSeconds, uint64(at.Unix()))
	e.inner = appendNumber(e.inner, fieldNanos, uint64(at.Nanosecond()))
	e.event = appendBytes(e.event, fieldTime, e.inner)
	e.event = appendText(e.event, fieldOwner, owner)
	e.event = appendText(e.event, fieldKey, d.Key)
	e.event = appendText(e.event, fieldCorrelation, correlation)
	e.event = appendText(e.event, fieldCausation, causation)
	e.event = appendText(e.event, fieldSource, source)
	var err error
	if e.payload, err = (proto.MarshalOptions{}).MarshalAppend(e.payload[:0], d.Payload); err == nil {
		name := string(d.Payload.ProtoReflect().Descriptor().FullName())
		e.inner = protowire.AppendTag(e.inner[:0], fieldURL, protowire.BytesType)
		e.inner = protowire.AppendVarint(e.inner, uint64(len(urlPrefix)+len(name)))
		e.inner = append(append(e.inner, urlPrefix...), name...)
		if len(e.payload) > 0 {
			e.inner = appendBytes(e.inner, fieldData, e.payload)
		}
		e.event = appendBytes(e.event, fieldPayload, e.inner)
	} // else it is text that is not UTF-8, which a client chose: that it happened is told all the same
	e.record = binary.AppendUvarint(e.record, uint64(len(e.event)))
	e.record = append(e.record, e.event...)
	return id
}

// appendText appends a field unless it is empty, mended where it is not UTF-8.
func appendText(b []byte, field protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), strings.ToValidUTF8(text, "\uFFFD"))
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
