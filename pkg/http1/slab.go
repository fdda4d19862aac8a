package http1

import (
	"math/bits"
	"sync"
)

// A body that is longer than a room is read into lent memory of minSlab to maxSlab
// bytes, each size twice the one before; a longer one has memory of its own.
const (
	minSlab   = 2 * roomSize
	slabSizes = 5
	maxSlab   = minSlab << (slabSizes - 1)
)

// slab is memory for one body.
type slab struct {
	size  int // its place in slabs
	bytes []byte
}

var slabs [slabSizes]sync.Pool

// lendSlab returns room for n bytes, nil where that is too much to be lent.
func lendSlab(n int64) *slab {
	if n > maxSlab {
		return nil
	}
	size := max(0, bits.Len64(uint64(n-1))-bits.Len64(minSlab-1))
	if s, ok := slabs[size].Get().(*slab); ok {
		return s
	}
	return &slab{size: size, bytes: make([]byte, minSlab<<size)}
}

// giveBack gives the slab to others.
func (s *slab) giveBack() { slabs[s.size].Put(s) }
