package learn

import (
	"cmp"
	"math"
	"slices"
)

// CoveragePoint is one point of the coverage curve: when only the surest share
// of the rows is answered, so many of these answers are right.
type CoveragePoint struct {
	Coverage  float64 `json:"coverage"`
	Accuracy  float64 `json:"accuracy"`
	Threshold float64 `json:"threshold"`
}

// judged is one answered row.
type judged struct {
	confidence float64
	right      bool
}

// fitTemperature returns the temperature with the least loss on scores whose
// right output is known. Rows with class < 0 are passed over.
func fitTemperature(scores [][]float32, class []int32) float64 {
	loss := func(t float64) float64 {
		var sum float64
		for i, z := range scores {
			if class[i] < 0 {
				continue
			}
			best := float64(slices.Max(z))
			var e float64
			for _, v := range z {
				e += math.Exp((float64(v) - best) / t)
			}
			sum += math.Log(e) - (float64(z[class[i]])-best)/t
		}
		return sum
	}
	// The loss has one valley in ln t.
	lo, hi := math.Log(0.02), math.Log(50)
	const ratio = 0.6180339887498949
	a, b := hi-ratio*(hi-lo), lo+ratio*(hi-lo)
	la, lb := loss(math.Exp(a)), loss(math.Exp(b))
	for range 30 {
		if la < lb {
			hi, b, lb = b, a, la
			a = hi - ratio*(hi-lo)
			la = loss(math.Exp(a))
		} else {
			lo, a, la = a, b, lb
			b = lo + ratio*(hi-lo)
			lb = loss(math.Exp(b))
		}
	}
	return math.Exp((lo + hi) / 2)
}

// fitLogistic fits target (0 to 1) by the columns of x and a bias, the last
// value returned, by Newton's method with a little ridge.
func fitLogistic(x [][]float64, target, weight []float64) []float64 {
	if len(x) == 0 {
		return nil
	}
	d := len(x[0]) + 1
	w := make([]float64, d)
	at := func(row []float64, j int) float64 {
		if j == d-1 {
			return 1
		}
		return row[j]
	}
	for range 25 {
		g := make([]float64, d)
		h := make([][]float64, d)
		for i := range h {
			h[i] = make([]float64, d)
			h[i][i] = 1e-3
			g[i] = 1e-3 * w[i]
		}
		for r, row := range x {
			z := w[d-1]
			for j := range row {
				z += w[j] * row[j]
			}
			p := 1 / (1 + math.Exp(-z))
			c := 1.0
			if weight != nil {
				c = weight[r]
			}
			for i := range d {
				xi := at(row, i)
				g[i] += c * (p - target[r]) * xi
				for j := 0; j <= i; j++ {
					h[i][j] += c * max(p*(1-p), 1e-6) * xi * at(row, j)
				}
			}
		}
		step := solve(h, g)
		var size float64
		for i, s := range step {
			s = max(-4, min(4, s))
			w[i] -= s
			size += s * s
		}
		if size < 1e-12 {
			break
		}
	}
	return w
}

// solve solves the symmetric system whose lower half is h.
func solve(h [][]float64, g []float64) []float64 {
	n := len(g)
	l := make([][]float64, n)
	for i := range n {
		l[i] = make([]float64, n)
		for j := 0; j <= i; j++ {
			s := h[i][j]
			for k := range j {
				s -= l[i][k] * l[j][k]
			}
			if i == j {
				l[i][i] = math.Sqrt(max(s, 1e-12))
			} else {
				l[i][j] = s / l[j][j]
			}
		}
	}
	y := make([]float64, n)
	for i := range n {
		s := g[i]
		for k := range i {
			s -= l[i][k] * y[k]
		}
		y[i] = s / l[i][i]
	}
	for i := n - 1; i >= 0; i-- {
		s := y[i]
		for k := i + 1; k < n; k++ {
			s -= l[k][i] * y[k]
		}
		y[i] = s / l[i][i]
	}
	return y
}

const eceBins = 15

// calibrationBins sorts answers into bins of equal width by confidence.
func calibrationBins(js []judged) []CalibrationBin {
	bins := make([]CalibrationBin, eceBins)
	for _, j := range js {
		b := &bins[min(int(j.confidence*eceBins), eceBins-1)]
		b.Rows++
		b.Confidence += j.confidence
		if j.right {
			b.Accuracy++
		}
	}
	kept := bins[:0]
	for i, b := range bins {
		if b.Rows == 0 {
			continue
		}
		b.From, b.To = float64(i)/eceBins, float64(i+1)/eceBins
		b.Confidence /= float64(b.Rows)
		b.Accuracy /= float64(b.Rows)
		kept = append(kept, b)
	}
	return kept
}

// CalibrationBin is the answers of about one confidence.
type CalibrationBin struct {
	From       float64 `json:"from"`
	To         float64 `json:"to"`
	Rows       int     `json:"rows"`
	Confidence float64 `json:"confidence"`
	Accuracy   float64 `json:"accuracy"`
}

// calibrationError is the mean distance between confidence and accuracy over
// the bins, by rows.
func calibrationError(js []judged) float64 {
	if len(js) == 0 {
		return 0
	}
	var sum float64
	for _, b := range calibrationBins(js) {
		sum += float64(b.Rows) * math.Abs(b.Confidence-b.Accuracy)
	}
	return round(sum / float64(len(js)))
}

// coverageCurve has a point at every twentieth of the rows.
func coverageCurve(js []judged) []CoveragePoint {
	sorted := slices.Clone(js)
	slices.SortStableFunc(sorted, func(a, b judged) int { return cmp.Compare(b.confidence, a.confidence) })
	var curve []CoveragePoint
	right, done := 0, 0
	for step := 1; step <= 20 && len(sorted) > 0; step++ {
		until := max(len(sorted)*step/20, 1)
		for ; done < until; done++ {
			if sorted[done].right {
				right++
			}
		}
		curve = append(curve, CoveragePoint{
			Coverage:  round(float64(until) / float64(len(sorted))),
			Accuracy:  round(float64(right) / float64(until)),
			Threshold: round(sorted[until-1].confidence),
		})
	}
	return curve
}

// acceptThreshold is the least confidence from which on answers were right as
// often as target, judged on at least twenty answers; 1.01 where there is none.
func acceptThreshold(js []judged, target float64) float64 {
	sorted := slices.Clone(js)
	slices.SortStableFunc(sorted, func(a, b judged) int { return cmp.Compare(b.confidence, a.confidence) })
	best, right := 1.01, 0
	for i, j := range sorted {
		if j.right {
			right++
		}
		last := i+1 == len(sorted) || sorted[i+1].confidence < j.confidence
		if last && i+1 >= min(20, len(sorted)) && float64(right) >= target*float64(i+1) {
			best = j.confidence
		}
	}
	return round(best)
}
