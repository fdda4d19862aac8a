package learn

// holders says which models of a set may hold a key, one bit each, by the
// first bits of the key. Most keys of a text are in few models: asking this
// table once is cheaper than asking every model.
type holders []uint16

const (
	holderBits = 17 // of a key that every model's file keeps
	maxHolders = 16 // models that the table tells apart; a set of more has none
)

func newHolders(models []*Model) holders {
	if len(models) < 2 || len(models) > maxHolders {
		return nil
	}
	h := make(holders, 1<<holderBits)
	for i, m := range models {
		if m.windowed {
			continue // they have keys of their own
		}
		m.eachKey(func(key uint32) { h[key>>(32-holderBits)] |= 1 << i })
	}
	return h
}

// eachKey gives the keys as far as the file keeps them: the bits after the
// bucket's and sixteen more are zero.
func (m *Model) eachKey(yield func(key uint32)) {
	next := uint32(0)
	for bucket := uint32(0); int(bucket+1)*4 < len(m.index); bucket++ {
		to := le32(m.index[(bucket+1)*4:])
		for ; next < to; next++ {
			low := uint32(m.rest[next*2]) | uint32(m.rest[next*2+1])<<8
			yield(bucket<<m.shift | low<<16>>(32-m.shift))
		}
	}
}

func le32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// mark notes for every feature of a text which models may hold it.
func (h holders) mark(s *scratch) {
	s.held = s.held[:0]
	if h == nil {
		return
	}
	for _, key := range s.features.keys {
		s.held = append(s.held, h[key>>(32-holderBits)])
	}
}
