package transport

import (
	"github.com/gptmesh/gptmesh/pkg/slab"
	"github.com/gptmesh/gptmesh/pkg/upstream"
)

// bodyRoom is room for the body of a usual call.
const bodyRoom = slab.Least

var _ = uint(upstream.InlineBody - bodyRoom) // what fits in is sent when the call was made

// edited is what a body grows by at the most while it is written, as a rule.
const edited = 1 << 10

// room is where a body may be written to; the zero value is none.
type room struct {
	lent *slab.Slab
	long bool // it may be read until the answer's body is closed
}

// room lends room for a body. The lean client is done with a body when its answer
// is closed; the standard library's may still read it then. raw is the length of
// what the body is made of, and whole says that its answer is no stream: streams are
// many and last long.
func (c *Client) room(raw int, whole bool) room {
	if !c.lean {
		return room{}
	}
	if whole && raw+edited > bodyRoom {
		if lent := slab.Lend(raw + edited); lent != nil {
			return room{lent, true}
		}
	}
	return room{slab.Lend(bodyRoom), false}
}

func (r *room) bytes() []byte {
	if r.lent == nil {
		return nil
	}
	return r.lent.Bytes[:0]
}

// sent gives room back that is not long: when the call was made, a body that fits in
// has been sent, see upstream.InlineBody; a longer one does not lie in it.
func (r *room) sent() {
	if !r.long {
		r.giveBack()
	}
}

// giveBack gives the room back, once.
func (r *room) giveBack() {
	if r.lent != nil {
		r.lent.Return()
		*r = room{}
	}
}
