package learn

import "slices"

// The outputs of a routing head.
const (
	outputWeak = iota
	outputStrong
	routingOutputs
)

// routingLabels name the outputs in metadata.
var routingLabels = []string{"weak_right", "strong_right"}

// The ways to make a need from the outputs.
const (
	scoreDifference = "difference"
	scoreWeakFails  = "weak_fails"
)

var routingScores = []string{scoreDifference, scoreWeakFails}

// need is how much a text needs the strong model, from the scores as the
// weights give them: calibration would pull the two outputs towards their
// means unequally, which orders texts worse.
func need(score string, z []float32) float64 {
	weak := float64(sigmoid(z[outputWeak]))
	if score == scoreWeakFails {
		return 1 - weak
	}
	return float64(sigmoid(z[outputStrong])) - weak
}

// lengthWeights are how much of the need may be length. The first is the
// default: it costs little where length says nothing.
var lengthWeights = []float64{0.05, 0.1, 0.2}

// clearly is how much better the APGR of another way must be to leave the
// default.
const clearly = 0.015

// fitRouting calibrates the outputs on held-out scores and chooses how the
// need is made.
func fitRouting(rows []Row, scores [][]float32) (Calibration, Validation) {
	var c Calibration
	var v Validation
	x := make([][]float64, len(rows))
	target := make([]float64, len(rows))
	probability := make([]float64, len(rows)) // of the weak model's being right
	for o := range routingOutputs {
		for i := range rows {
			x[i] = []float64{float64(scores[i][o])}
			target[i] = float64(routingTargets(&rows[i])[o])
		}
		w := fitLogistic(x, target, nil)
		c.Slopes = append(c.Slopes, max(w[0], 0.01))
		c.Offsets = append(c.Offsets, w[1])
		for i := range rows {
			m := Model{meta: Metadata{Calibration: c}}
			if o == outputWeak {
				probability[i] = m.probability(scores[i], o)
			}
		}
	}
	v.Scores = map[string]float64{}
	bestFigure := -1.0
	score := make([]float64, len(rows))
	try := func(name string, lengthWeight float64) RoutingFigures {
		for i := range rows {
			score[i] = need(name, scores[i]) + lengthWeight*logLength(&rows[i].Document)
		}
		return routingFigures(rows, score)
	}
	for _, name := range routingScores {
		f := try(name, lengthWeights[0])
		v.Scores[name] = f.APGR
		if f.APGR > bestFigure+clearly {
			bestFigure, c.Score, c.LengthWeight, v.Routing = f.APGR, name, lengthWeights[0], &f
		}
	}
	for _, lw := range lengthWeights[1:] {
		if f := try(c.Score, lw); f.APGR > bestFigure+clearly/2 {
			bestFigure, c.LengthWeight, v.Routing = f.APGR, lw, &f
		}
	}
	v.Scores["length_only"] = routingFigures(rows, lengthScores(rows)).APGR
	js := make([]judged, 0, len(rows))
	for i := range rows {
		js = append(js, judged{probability[i], rows[i].Weak >= 0.5})
	}
	v.ECE = calibrationError(js)
	v.Coverage = coverageCurve(js)
	return c, v
}

// routingTargets are what the outputs learn from one row.
func routingTargets(r *Row) [routingOutputs]float32 {
	return [routingOutputs]float32{float32(r.Weak), float32(r.Strong)}
}

// routable says that a row's columns can be learned from: 0 to 1.
func routable(r *Row) bool {
	return !slices.ContainsFunc([]float64{r.Weak, r.Strong}, func(v float64) bool { return v < 0 || v > 1 })
}
