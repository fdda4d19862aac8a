package learn

import (
	"sync/atomic"
)

// Live is a set that is replaced while others use it. The zero value holds an
// empty set. It is safe for concurrent use.
type Live struct{ set atomic.Pointer[Set] }

// Set returns the current set, never nil. A call that took it may finish with
// it after a swap.
func (l *Live) Set() *Set {
	if s := l.set.Load(); s != nil {
		return s
	}
	return emptySet
}

// Swap puts s in place and returns the set before it. A nil s is an empty set.
func (l *Live) Swap(s *Set) *Set {
	if before := l.set.Swap(s); before != nil {
		return before
	}
	return emptySet
}

// Update puts in place what change makes of the current set, however many
// others update at the same time; change may be called again. On its error
// nothing changes.
func (l *Live) Update(change func(*Set) (*Set, error)) error {
	for {
		before := l.set.Load()
		from := before
		if from == nil {
			from = emptySet
		}
		after, err := change(from)
		if err != nil {
			return err
		}
		if l.set.CompareAndSwap(before, after) {
			return nil
		}
	}
}

var emptySet = &Set{}
