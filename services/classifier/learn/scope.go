package learn

import (
	"cmp"
	"math"
	"slices"
)

// outOfScopeLabels are the labels that mean "none of the others".
var outOfScopeLabels = []string{"oos", "out_of_scope", "out-of-scope", "none_of_the_above"}

// scopeSignCount is the number of signs of scopeSigns.
const scopeSignCount = 4

// scopeSigns are what tells a text out of scope: how the label for it stands
// against the best other one, the best score, its lead over the second, and
// all scores together. scope is the index of the label.
func scopeSigns(z []float32, temperature float64, scope int) [scopeSignCount]float64 {
	first, second := math.Inf(-1), math.Inf(-1)
	for i, v := range z {
		if i == scope {
			continue
		}
		s := float64(v) / temperature
		if s > first {
			first, second = s, first
		} else if s > second {
			second = s
		}
	}
	if math.IsInf(second, -1) {
		second = first
	}
	var sum float64
	for i, v := range z {
		if i != scope {
			sum += math.Exp(float64(v)/temperature - first)
		}
	}
	return [scopeSignCount]float64{
		float64(z[scope])/temperature - first,
		first,
		first - second,
		first + math.Log(sum),
	}
}

// scopeScore joins the signs; the last of w is the bias.
func scopeScore(signs [scopeSignCount]float64, w []float64) float64 {
	z := w[scopeSignCount]
	for i, s := range signs {
		z += w[i] * s
	}
	return 1 / (1 + math.Exp(-z))
}

// fitScope learns the weights of the signs from held-out scores. Both sides
// weigh the same.
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
		s := scopeSigns(z, temperature, scope)
		x[i] = s[:]
		weight[i] = 0.5 * float64(len(scores)) / (float64(len(scores)) - outside)
		if int(class[i]) == scope {
			target[i] = 1
			weight[i] = 0.5 * float64(len(scores)) / outside
		}
	}
	return fitLogistic(x, target, weight)
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
