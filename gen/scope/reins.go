package scope

import "sync"

// Reins end a Scope for somebody who may pull before it is there. The zero value
// is ready.
type Reins struct {
	mu     sync.Mutex
	scope  *Scope
	pulled bool
	cause  error
}

// Cancel ends the Scope, or the one that is yet to come, with cause.
func (r *Reins) Cancel(cause error) {
	r.mu.Lock()
	if !r.pulled {
		r.pulled, r.cause = true, cause
	}
	s := r.scope
	r.mu.Unlock()
	if s != nil {
		s.Cancel(cause)
	}
}

// Bind makes s the Scope that Cancel ends, in the place of an earlier one.
func (r *Reins) Bind(s *Scope) {
	r.mu.Lock()
	r.scope = s
	pulled, cause := r.pulled, r.cause
	r.mu.Unlock()
	if pulled {
		s.Cancel(cause)
	}
}
