// Package slab lends memory for bodies that live as long as a call.
package slab

import (
	"math/bits"
	"sync"
)

// Memory is lent in pieces of Least to Most bytes, each size twice the one before.
const (
	Least = 16 << 10
	Most  = Least << (sizes - 1)
	sizes = 5
)

// Slab is memory that is lent.
type Slab struct {
	// Bytes are all of it. They hold what was written there last.
	Bytes []byte

	size int // its place in slabs
}

var slabs [sizes]sync.Pool

// Lend returns room for n bytes, nil where that is more than Most.
func Lend(n int) *Slab {
	if n > Most {
		return nil
	}
	size := max(0, bits.Len(uint(max(n, 1)-1))-bits.Len(Least-1))
	if s, ok := slabs[size].Get().(*Slab); ok {
		return s
	}
	return &Slab{size: size, Bytes: make([]byte, Least<<size)}
}

// Return gives the slab to others, once; nobody may read or write it any more.
func (s *Slab) Return() { slabs[s.size].Put(s) }
