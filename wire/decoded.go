package wire

import (
	"bytes"
	"context"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/gen/scope"
)

// Decoded is an answer that is one body, with what it was decoded to. Who hands
// the bytes on within a process fills it in, so that whoever needs the typed half
// later need not decode them again. Nothing depends on it being filled in.
type Decoded struct {
	place  scope.Valued
	body   []byte
	events []*conversationv1.Event
	handed []*conversationv1.Event
}

// Keep notes what a body was decoded to; both must not change any more.
func (d *Decoded) Keep(body []byte, events []*conversationv1.Event) {
	if d != nil {
		d.body, d.events = body, events
	}
}

// KeepEvents notes the events of an answer that is handed on without its body; they must not
// change any more once they were handed on.
func (d *Decoded) KeepEvents(events []*conversationv1.Event) {
	if d != nil {
		d.handed = events
	}
}

// OwnsEvents says that events are the very ones that were kept: they do not change any more.
func (d *Decoded) OwnsEvents(events []*conversationv1.Event) bool {
	return d != nil && len(events) > 0 && len(events) == len(d.handed) && &events[0] == &d.handed[0]
}

// Owns says that body is the very one that was kept: it does not change any more.
func (d *Decoded) Owns(body []byte) bool {
	return d != nil && len(body) > 0 && len(body) == len(d.body) && &body[0] == &d.body[0]
}

// Events returns what body was decoded to, false where that is not known.
func (d *Decoded) Events(body []byte) ([]*conversationv1.Event, bool) {
	if d == nil || d.events == nil || !bytes.Equal(d.body, body) {
		return nil, false
	}
	return d.events, true
}

type decodedKey struct{}

// WithDecoded returns a context that d is filled in by, and that lies in d: it is
// called once.
func WithDecoded(ctx context.Context, d *Decoded) context.Context {
	return d.place.With(ctx, decodedKey{}, d)
}

// DecodedFrom returns the context's Decoded, nil where there is none.
func DecodedFrom(ctx context.Context) *Decoded {
	d, _ := ctx.Value(decodedKey{}).(*Decoded)
	return d
}
