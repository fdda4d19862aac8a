package transport

import (
	"sync"

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

// bodyRoom is room for the body of a usual call. Longer bodies get their own.
const bodyRoom = 16 << 10

var _ = uint(upstream.InlineBody - bodyRoom) // what fits in is sent when the call was made

var bodies = sync.Pool{New: func() any {
	b := make([]byte, 0, bodyRoom)
	return &b
}}

// room is where a body may be written to; the zero value is none.
type room struct{ lent *[]byte }

// room lends room for a body. The lean client is done with a body when its answer
// is closed; the standard library's may still read it then.
func (c *Client) room() room {
	if !c.lean {
		return room{}
	}
	return room{bodies.Get().(*[]byte)}
}

func (r *room) bytes() []byte {
	if r.lent == nil {
		return nil
	}
	return *r.lent
}

// giveBack gives the room back, once: when the call was made. A body that fits in
// has been sent then, see upstream.InlineBody; a longer one does not lie in it.
// Streams are many and last long.
func (r *room) giveBack() {
	if r.lent != nil {
		bodies.Put(r.lent)
		r.lent = nil
	}
}
