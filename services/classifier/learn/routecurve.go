package learn

import (
	"cmp"
	"math"
	"slices"
)

// RoutingFigures say how well a score chooses the texts that need the strong
// model.
type RoutingFigures struct {
	// APGR is the mean share of the quality gap between the weak and the
	// strong model that is recovered, over every share of calls to the strong
	// one from none to all. A random choice has 0.5.
	APGR float64 `json:"apgr"`
	// CPT50 and CPT80 are the least share of calls to the strong model that
	// recovers 50 % and 80 % of the gap.
	CPT50 float64 `json:"cpt50"`
	CPT80 float64 `json:"cpt80"`
}

// routingFigures measures a score. Rows with equal scores count as if in any
// order. The figures are zero where strong is not better than weak.
func routingFigures(rows []Row, score []float64) RoutingFigures {
	n := len(rows)
	order := make([]int, n)
	var gap float64
	for i := range order {
		order[i] = i
		gap += rows[i].Strong - rows[i].Weak
	}
	if n == 0 || gap <= 0 {
		return RoutingFigures{}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
	// recovered[i] is the share of the gap after i calls to the strong model.
	recovered := make([]float64, n+1)
	var sum float64
	for i := 0; i < n; {
		j := i
		var part float64
		for j < n && score[order[j]] == score[order[i]] {
			part += rows[order[j]].Strong - rows[order[j]].Weak
			j++
		}
		for t := i; t < j; t++ {
			recovered[t+1] = (sum + part*float64(t-i+1)/float64(j-i)) / gap
		}
		sum += part
		i = j
	}
	var area float64
	for i := range n {
		area += (recovered[i] + recovered[i+1]) / 2
	}
	reach := func(share float64) float64 {
		for i, v := range recovered {
			if v >= share-1e-12 {
				return float64(i) / float64(n)
			}
		}
		return 1
	}
	return RoutingFigures{APGR: round(area / float64(n)), CPT50: round(reach(0.5)), CPT80: round(reach(0.8))}
}

// lengthScores is the baseline: the longer, the harder.
func lengthScores(rows []Row) []float64 {
	s := make([]float64, len(rows))
	for i := range rows {
		s[i] = float64(len([]rune(rows[i].Title)) + len([]rune(rows[i].Text)))
	}
	return s
}

// round keeps six decimals.
func round(v float64) float64 { return math.Round(v*1e6) / 1e6 }
