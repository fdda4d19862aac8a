package learn

import "slices"

// The outputs of a routing head.
const (
	outputWeak = iota
	outputStrong
	outputGain
	routingOutputs
)

// routingLabels name the outputs in metadata.
var routingLabels = []string{"weak_right", "strong_right", "gain"}

// The ways to make a need from the outputs.
const (
	scoreDifference = "difference"
	scoreWeakFails  = "weak_fails"
	scoreGain       = "gain"
)

var routingScores = []string{scoreDifference, scoreWeakFails, scoreGain}

// need is how much a text needs the strong model.
func need(score string, weak, strong, gain float64) float64 {
	switch score {
	case scoreWeakFails:
		return 1 - weak
	case scoreGain:
		return gain
	default:
		return strong - weak
	}
}

// lengthWeights are tried beside zero: how much of a blend is length.
var lengthWeights = []float64{0.02, 0.05, 0.1, 0.2}

// fitRouting calibrates the outputs on held-out scores and chooses how the
// need is made. A blend with length must beat the plain score clearly.
func fitRouting(rows []Row, scores [][]float32) (Calibration, Validation) {
	var c Calibration
	var v Validation
	x := make([][]float64, len(rows))
	target := make([]float64, len(rows))
	probability := make([][]float64, routingOutputs)
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
			probability[o] = append(probability[o], m.probability(scores[i], o))
		}
	}
	v.Scores = map[string]float64{}
	bestFigure := -1.0
	score := make([]float64, len(rows))
	try := func(name string, lengthWeight float64) RoutingFigures {
		for i := range rows {
			score[i] = need(name, probability[outputWeak][i], probability[outputStrong][i], probability[outputGain][i]) + lengthWeight*logLength(&rows[i].Document)
		}
		return routingFigures(rows, score)
	}
	for _, name := range routingScores {
		f := try(name, 0)
		v.Scores[name] = f.APGR
		if f.APGR > bestFigure {
			bestFigure, c.Score = f.APGR, name
			v.Routing = &f
		}
	}
	plain := bestFigure
	for _, lw := range lengthWeights {
		if f := try(c.Score, lw); f.APGR > bestFigure && f.APGR > plain+0.01 {
			bestFigure, c.LengthWeight = f.APGR, lw
			v.Routing = &f
		}
	}
	v.Scores["length_only"] = routingFigures(rows, lengthScores(rows)).APGR
	js := make([]judged, 0, len(rows))
	for i := range rows {
		js = append(js, judged{probability[outputWeak][i], rows[i].Weak >= 0.5})
	}
	v.ECE = calibrationError(js)
	v.Coverage = coverageCurve(js)
	return c, v
}

// routingTargets are what the outputs learn from one row.
func routingTargets(r *Row) [routingOutputs]float32 {
	return [routingOutputs]float32{float32(r.Weak), float32(r.Strong), float32(max(0, r.Strong-r.Weak))}
}

// routable says that a row's columns can be learned from: 0 to 1.
func routable(r *Row) bool {
	return !slices.ContainsFunc([]float64{r.Weak, r.Strong}, func(v float64) bool { return v < 0 || v > 1 })
}
