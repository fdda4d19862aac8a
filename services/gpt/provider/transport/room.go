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

// room is where a body may be written to. The lean client is done with a body
// when its answer is closed; the standard library's may still read it then.
func (c *Client) room() *[]byte {
	if _, lean := c.cfg.Doer.(*upstream.Client); !lean {
		return new([]byte)
	}
	return bodies.Get().(*[]byte)
}

// keep gives room back: when the answer is closed, or as soon as the call was made
// where the body fits in. Streams are many and last long. See upstream.InlineBody.
func (c *Client) keep(room *[]byte) {
	if cap(*room) == bodyRoom {
		kept := *room
		*room = nil
		bodies.Put(&kept)
	}
}
