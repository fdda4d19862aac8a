package learn

// sieve says of a key that a windowed head does not have it, one bit for each choice of
// a key's first bits. Most pairs and triples of a text's words are in no model: asking
// this, which stays in a cache, is cheaper than looking into the model.
type sieve struct {
	bits  []uint64
	shift uint // of a key, to the number of its bit
}

// sieveBits are 64 KB: of a guard head of 60,000 keys, one bit in nine is set.
const sieveBits = 19

// newSieve makes the sieve of a model, whose file keeps so many bits of a key.
func newSieve(m *Model) sieve {
	kept := 32 - m.shift + 16
	n := min(sieveBits, kept)
	s := sieve{bits: make([]uint64, 1<<(n-6)), shift: 32 - n}
	m.eachKey(func(key uint32) {
		at := key >> s.shift
		s.bits[at>>6] |= 1 << (at & 63)
	})
	return s
}

// has is 0 where no key of the model begins as this one does, else 1.
func (s *sieve) has(key uint32) int {
	at := key >> s.shift
	return int(s.bits[at>>6] >> (at & 63) & 1)
}
