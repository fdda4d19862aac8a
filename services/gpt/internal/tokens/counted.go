package tokens

import (
	"hash/maphash"
	"sync/atomic"
)

// counted remembers how many tokens pieces of text are: a conversation comes again with
// each of its turns, and so do the tools. It keeps no text, only what a hash of it says
// with a seed of this process: another piece is taken for one that is kept about once in
// 10^12. It is safe for concurrent use.
type counted struct {
	seed  maphash.Seed
	slots [countedSlots]atomic.Uint64 // the hash's upper bits and the count
}

const (
	countedSlots = 1 << 13 // of up to 4 KB each
	countBits    = 24
	countMask    = 1<<countBits - 1
	// countedFrom is how long a piece is that is worth to be remembered.
	countedFrom = 128
)

func newCounted() *counted { return &counted{seed: maphash.MakeSeed()} }

// of is the count of a piece, which count finds out where it is not known.
func (c *counted) of(piece string, count func(string) int) int {
	if len(piece) < countedFrom {
		return count(piece)
	}
	hash := maphash.String(c.seed, piece)
	slot := &c.slots[hash%countedSlots]
	if kept := slot.Load(); kept != 0 && kept&^countMask == hash&^countMask {
		return int(kept & countMask)
	}
	n := count(piece)
	if n > 0 && n <= countMask {
		slot.Store(hash&^countMask | uint64(n))
	}
	return n
}
