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

// groupBias is the value of the feature that stands for the group itself.
const groupBias = 0.3

// scaling is how counts become values.
type scaling struct {
	families FamilySet
	grouped  bool
	// counted takes 1 + ln(count) for the value; otherwise every value is 1.
	counted bool
	// weight is each family's factor before the vector gets length one.
	weight [familyCount]float32
}

// value of a feature that occurs n times, before the vector gets length one.
func (s *scaling) value(fam Family, n uint8) float32 {
	if !s.counted || n == 1 {
		return s.weight[fam]
	}
	return s.weight[fam] * logCount[n]
}

var logCount = func() (t [256]float32) {
	for i := 1; i < len(t); i++ {
		t[i] = float32(1 + math.Log(float64(i)))
	}
	return t
}()

// norm is the factor that gives the vector of f length one. It counts every
// feature, known or not, so that a text of unknown words gets small scores.
func (s *scaling) norm(f *features) float32 {
	var sum float32
	for fam := range familyCount {
		if !s.families.Has(fam) {
			continue
		}
		if !s.counted {
			sum += s.weight[fam] * s.weight[fam] * float32(f.bound[fam+1]-f.bound[fam])
			continue
		}
		for i := f.bound[fam]; i < f.bound[fam+1]; i++ {
			v := s.value(fam, f.counts[i])
			sum += v * v
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
			for i := f.bound[fam]; i < f.bound[fam+1]; i++ {
				yield(f.keys[i], norm*sc.value(fam, f.counts[i]), false)
			}
		}
	}
	if !sc.grouped || f.group == 0 {
		return
	}
	for fam := range familyCount {
		if sc.families.Has(fam) && groupFamilies.Has(fam) {
			for i := f.bound[fam]; i < f.bound[fam+1]; i++ {
				yield(groupKey(f.keys[i], f.group), norm*sc.value(fam, f.counts[i]), true)
			}
		}
	}
	// The group itself: a bias of its own.
	yield(groupKey(0, f.group), groupBias, true)
}
