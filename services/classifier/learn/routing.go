package learn

import (
	"slices"
	"strings"
)

// The outputs of a routing head.
const (
	outputWeak = iota
	outputStrong
	routingOutputs
)

// routingLabels name the outputs in metadata.
var routingLabels = []string{"weak_right", "strong_right"}

// The names of ways to order texts in evaluations.
const (
	scoreDifference = "difference"
	scoreWeakFails  = "weak_fails"
)

// NeedRule says how a need is made of the probabilities, as the weights give
// them (calibration would pull the two outputs towards their means unequally,
// which orders texts worse), and of the length of the text:
// Strong × P(strong right) − P(weak right) + Length × ln(1 + characters).
type NeedRule struct {
	Strong float64 `json:"strong"`
	Length float64 `json:"length"`
	// Rows is how many rows of the form the rule was chosen on; 0 for a rule
	// that was not learned.
	Rows int `json:"rows"`
}

// NeedRules has a rule for every form of text. How the probabilities and the
// length order texts depends on the form more than on anything else.
type NeedRules struct {
	// Options is for questions with lettered answers to choose from, Open for
	// all others.
	Options NeedRule `json:"options"`
	Open    NeedRule `json:"open"`
}

func (n *NeedRules) of(d *Document) *NeedRule {
	if hasOptions(d.Text) {
		return &n.Options
	}
	return &n.Open
}

func (r *NeedRule) need(z []float32, d *Document) float64 {
	return r.Strong*float64(sigmoid(z[outputStrong])) - float64(sigmoid(z[outputWeak])) + r.Length*logLength(d)
}

// Rules that are not learned. Where training saw no text of a form, that the
// weak model fails is what carries over; where such texts were few among
// others, half of either and more of the length.
var (
	ruleUnseen = NeedRule{Strong: 0, Length: 0.1}
	ruleFew    = NeedRule{Strong: 0.5, Length: 0.2}
	ruleGrid   = []NeedRule{
		{Strong: 1, Length: 0.05}, {Strong: 1, Length: 0.1}, {Strong: 1, Length: 0.2}, {Strong: 1, Length: 0.3}, {Strong: 1, Length: 0.5},
		{Strong: 0.5, Length: 0.05}, {Strong: 0.5, Length: 0.1}, {Strong: 0.5, Length: 0.2}, {Strong: 0, Length: 0.05}, {Strong: 0, Length: 0.2},
	}
)

const leastFormRows = 100 // rows from which on a rule is learned

// clearly is how much better the APGR of a rule must be than that of a rule
// before it.
const clearly = 0.002

// hasOptions says that lines of a text offer lettered answers: "A. …", "B) …"
// or "(C) …", three or more in their order.
func hasOptions(t string) bool {
	next := byte('A')
	for len(t) > 0 {
		line := t
		if len(line) > 0 && line[0] == '(' {
			line = line[1:]
		}
		if len(line) > 2 && (line[0] == next || line[0] == next|0x20) && (line[1] == '.' || line[1] == ')' || line[1] == ':') {
			if next++; next == 'A'+3 {
				return true
			}
		}
		end := strings.IndexByte(t, '\n')
		if end < 0 {
			return false
		}
		t = t[end+1:]
	}
	return false
}

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
	c.Need = &NeedRules{Options: chooseRule(rows, scores, true), Open: chooseRule(rows, scores, false)}
	own, strong, weak := make([]float64, len(rows)), make([]float64, len(rows)), make([]float64, len(rows))
	for i := range rows {
		d := &rows[i].Document
		own[i] = c.Need.of(d).need(scores[i], d)
		strong[i] = (&NeedRule{Strong: 1}).need(scores[i], d)
		weak[i] = (&NeedRule{}).need(scores[i], d)
	}
	f := routingFigures(rows, own)
	v.Routing = &f
	v.Scores = map[string]float64{
		scoreDifference: routingFigures(rows, strong).APGR,
		scoreWeakFails:  routingFigures(rows, weak).APGR,
		"length_only":   routingFigures(rows, lengthScores(rows)).APGR,
	}
	js := make([]judged, 0, len(rows))
	for i := range rows {
		js = append(js, judged{probability[i], rows[i].Weak >= 0.5})
	}
	v.ECE = calibrationError(js)
	v.Coverage = coverageCurve(js)
	return c, v
}

// chooseRule finds the rule for the rows that are, or are not, questions with
// options.
func chooseRule(rows []Row, scores [][]float32, options bool) NeedRule {
	var at []int
	var part []Row
	for i := range rows {
		if hasOptions(rows[i].Text) == options {
			at = append(at, i)
			part = append(part, rows[i])
		}
	}
	switch {
	case len(part) < leastFormRows && len(part)*2 < len(rows):
		return ruleUnseen
	case len(part)*2 < len(rows):
		return ruleFew
	}
	best, figure := ruleGrid[0], -1.0
	need := make([]float64, len(part))
	for _, r := range ruleGrid {
		for j, i := range at {
			need[j] = r.need(scores[i], &rows[i].Document)
		}
		if f := routingFigures(part, need).APGR; f > figure+clearly {
			best, figure = r, f
		}
	}
	best.Rows = len(part)
	return best
}

// routingTargets are what the outputs learn from one row.
func routingTargets(r *Row) [routingOutputs]float32 {
	return [routingOutputs]float32{float32(r.Weak), float32(r.Strong)}
}

// routable says that a row's columns can be learned from: 0 to 1.
func routable(r *Row) bool {
	return !slices.ContainsFunc([]float64{r.Weak, r.Strong}, func(v float64) bool { return v < 0 || v > 1 })
}
