package transport

import (
	"sync"

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

// bodyRoom is room for the body of a usual call. Longer bodies get their own.
const bodyRoom = 16 << 10

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

// keep gives room back, when the answer is closed.
func (c *Client) keep(room *[]byte) {
	if cap(*room) == bodyRoom {
		bodies.Put(room)
	}
}
