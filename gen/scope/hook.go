package scope

import "context"

// Hook runs a function when a context ends, like context.AfterFunc does: on a
// goroutine of its own; or it ends a Scope then. Within the struct that it belongs
// to it costs nothing. It is hung, or bound, once.
type Hook struct {
	node node
	of   *Scope
	stop func() bool
}

// Hang makes run be called when ctx ends, at once where it has ended.
func (h *Hook) Hang(ctx context.Context, run func()) {
	s := nearest(ctx)
	if s == nil {
		h.stop = context.AfterFunc(ctx, run)
		return
	}
	h.of, h.node.run = s, run
	if s.hang(&h.node) != nil {
		h.of = nil
		go run()
	}
}

// Bind makes s end when ctx ends, with its cause, as what Hang runs would.
func (h *Hook) Bind(ctx context.Context, s *Scope) {
	above := nearest(ctx)
	if above == nil {
		h.stop = context.AfterFunc(ctx, func() { s.end(&ending{ctx.Err(), context.Cause(ctx)}) })
		return
	}
	h.of, h.node.scope = above, s
	if e := above.hang(&h.node); e != nil {
		h.of = nil
		s.end(e)
	}
}

// Stop takes the hook off. It returns false where run was or is being called.
func (h *Hook) Stop() bool {
	if h.stop != nil {
		return h.stop()
	}
	return h.of != nil && h.of.drop(&h.node)
}
