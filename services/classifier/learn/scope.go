package learn

import (
	"cmp"
	"math"
	"slices"
)

// outOfScopeLabels are the labels that mean "none of the others".
var outOfScopeLabels = []string{"oos", "out_of_scope", "out-of-scope", "none_of_the_above"}

// scopeLead is how far the label for texts out of scope is before the best
// other one. scope is its index. It tells such texts better than the best
// score, its lead over the second or the sum of all do, alone or joined.
func scopeLead(z []float32, temperature float64, scope int) float64 {
	best := math.Inf(-1)
	for i, v := range z {
		if i != scope {
			best = max(best, float64(v))
		}
	}
	return (float64(z[scope]) - best) / temperature
}

// scopeScore turns a lead into a score from 0 to 1; w is a slope and an offset.
func scopeScore(lead float64, w []float64) float64 {
	return 1 / (1 + math.Exp(-(w[0]*lead + w[1])))
}

// fitScope learns slope and offset from held-out scores. Both sides weigh the
// same.
func fitScope(scores [][]float32, class []int32, temperature float64, scope int) []float64 {
	x := make([][]float64, len(scores))
	target := make([]float64, len(scores))
	weight := make([]float64, len(scores))
	var outside float64
	for _, c := range class {
		if int(c) == scope {
			outside++
		}
	}
	for i, z := range scores {
		x[i] = []float64{scopeLead(z, temperature, scope)}
		weight[i] = 0.5 * float64(len(scores)) / (float64(len(scores)) - outside)
		if int(class[i]) == scope {
			target[i] = 1
			weight[i] = 0.5 * float64(len(scores)) / outside
		}
	}
	w := fitLogistic(x, target, weight)
	w[0] = max(w[0], 0.01)
	return w
}

// scoped is one row judged for scope.
type scoped struct {
	score   float64
	outside bool // the row is out of scope
	right   bool // the best label in scope is the row's
}

// scopeRecall finds the threshold at which the most rows out of scope are
// recognised while at least floor of the rows in scope are still answered
// right; a row in scope that is rejected counts as wrong.
func scopeRecall(rows []scoped, floor float64) (recall, threshold float64) {
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b scoped) int { return cmp.Compare(b.score, a.score) })
	var inside, outside, right, caught float64
	for _, r := range sorted {
		if r.outside {
			outside++
			continue
		}
		inside++
		if r.right {
			right++
		}
	}
	if inside == 0 || outside == 0 {
		return 0, 1
	}
	threshold = 1.01
	for i, r := range sorted {
		if r.outside {
			caught++
		} else if r.right {
			right--
		}
		if right < floor*inside {
			break
		}
		if i+1 == len(sorted) || sorted[i+1].score < r.score {
			recall, threshold = caught/outside, r.score
		}
	}
	return round(recall), threshold
}
