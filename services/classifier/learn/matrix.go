package learn

import (
	"maps"
	"math"
	"slices"
)

// matrix is rows as sparse vectors over the features that occur often enough.
type matrix struct {
	keys  []uint32 // column → key, ascending
	start []int    // row → first of its entries; one more than rows
	cols  []int32
	vals  []float32
	// shared[r] is where the copies for the group begin among row r's entries.
	shared []int
}

func (m *matrix) rows() int { return len(m.start) - 1 }

// compact drops columns without entries.
func (m *matrix) compact() {
	place := make([]int32, len(m.keys))
	for _, c := range m.cols {
		place[c] = 1
	}
	kept := m.keys[:0:0]
	for c, used := range place {
		place[c] = int32(len(kept))
		if used == 1 {
			kept = append(kept, m.keys[c])
		}
	}
	for j, c := range m.cols {
		m.cols[j] = place[c]
	}
	m.keys = kept
}

// groupBias is the value of the feature that stands for the group itself.
const groupBias = 0.3

// scaling is how features become values: every feature of a family has the
// family's weight, whatever its count, and the vector gets length one.
type scaling struct {
	families FamilySet
	grouped  bool
	weight   [familyCount]float32
	// pieces, where not zero, is how many pieces of words are looked at: the
	// first of the text. They are most of the work, and a head with many
	// labels pays for each of them many times.
	pieces int
}

// span is where the features of a family that s looks at begin and end.
func (s *scaling) span(f *features, fam Family) (from, to int) {
	from, to = f.bound[fam], f.bound[fam+1]
	if fam == FamilyChar && s.pieces > 0 {
		to = min(to, from+s.pieces)
	}
	return from, to
}

// norm is the factor that gives the vector of f length one. It counts every
// feature, known or not, so that a text of unknown words gets small scores.
func (s *scaling) norm(f *features) float32 {
	var sum float32
	for fam := range familyCount {
		if s.families.Has(fam) {
			from, to := s.span(f, fam)
			sum += s.weight[fam] * s.weight[fam] * float32(to-from)
		}
	}
	if sum == 0 {
		return 0
	}
	return float32(1 / math.Sqrt(float64(sum)))
}

// newMatrix makes vectors of rows. A feature must occur in minRows rows.
func newMatrix(rows []Row, sc *scaling, minRows int) *matrix {
	var f features
	df := map[uint32]int32{}
	for i := range rows {
		f.run(&rows[i].Document, sc.families)
		f.each(sc, func(key uint32, _ float32, _ bool) { df[key]++ })
	}
	m := &matrix{start: make([]int, 1, len(rows)+1)}
	for k, n := range df {
		if int(n) < minRows {
			delete(df, k)
		}
	}
	m.keys = slices.Sorted(maps.Keys(df))
	for i, k := range m.keys {
		df[k] = int32(i)
	}
	for i := range rows {
		f.run(&rows[i].Document, sc.families)
		sharedEnd := -1
		f.each(sc, func(key uint32, v float32, copied bool) {
			if copied && sharedEnd < 0 {
				sharedEnd = len(m.cols)
			}
			if c, ok := df[key]; ok {
				m.cols = append(m.cols, c)
				m.vals = append(m.vals, v)
			}
		})
		if sharedEnd < 0 {
			sharedEnd = len(m.cols)
		}
		m.shared = append(m.shared, sharedEnd)
		m.start = append(m.start, len(m.cols))
	}
	return m
}

// each calls yield for every feature that sc uses with its final value: the
// shared ones first, then the copies for the group.
func (f *features) each(sc *scaling, yield func(key uint32, v float32, copied bool)) {
	norm := sc.norm(f)
	for fam := range familyCount {
		if sc.families.Has(fam) {
			from, to := sc.span(f, fam)
			for i := from; i < to; i++ {
				yield(f.keys[i], norm*sc.weight[fam], false)
			}
		}
	}
	if !sc.grouped || f.group == 0 {
		return
	}
	for fam := range familyCount {
		if sc.families.Has(fam) && groupFamilies.Has(fam) {
			from, to := sc.span(f, fam)
			for i := from; i < to; i++ {
				yield(groupKey(f.keys[i], f.group), norm*sc.weight[fam], true)
			}
		}
	}
	// The group itself: a bias of its own.
	yield(groupKey(0, f.group), groupBias, true)
}
