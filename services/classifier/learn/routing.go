package learn

import (
	"math"
	"slices"
	"strings"
)

// The outputs of a routing head.
const (
	outputWeak = iota
	outputStrong
	outputGap
	routingOutputs

	// probabilityOutputs are those before the gap. Older models end there.
	probabilityOutputs = outputGap
)

// routingLabels name the outputs in metadata.
var routingLabels = []string{"weak_right", "strong_right", "strong_better"}

// The names of ways to order texts in evaluations.
const (
	scoreDifference = "difference"
	scoreWeakFails  = "weak_fails"
)

// NeedRule says how a need is made of the probabilities, as the weights give
// them (calibration would pull the two outputs towards their means unequally,
// which orders texts worse), of the gap that was learned beside them, of the
// length of the text and of its kind of demand:
// Offset + Scale × (Strong × P(strong right) − P(weak right) + Gap × gap + Length × ln(1 + characters) + Demand × demand).
// Scale and offset make it the expected gap, so that needs of texts of
// different forms compare.
type NeedRule struct {
	Strong float64 `json:"strong"`
	Gap    float64 `json:"gap,omitempty"`
	Length float64 `json:"length"`
	Demand float64 `json:"demand,omitempty"`
	// Scale is above 0; where it is not there it is 1.
	Scale  float64 `json:"scale,omitempty"`
	Offset float64 `json:"offset,omitempty"`
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

func (r *NeedRule) need(z []float32, d *Document, demand float64) float64 {
	need := r.Strong*float64(sigmoid(z[outputStrong])) - float64(sigmoid(z[outputWeak])) + r.Length*logLength(d) + r.Demand*demand
	if len(z) > outputGap {
		need += r.Gap * float64(z[outputGap])
	}
	if r.Scale > 0 {
		need *= r.Scale
	}
	return need + r.Offset
}

func (r *NeedRule) finite() bool {
	return !slices.ContainsFunc([]float64{r.Strong, r.Gap, r.Length, r.Demand, r.Scale, r.Offset}, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}

// mixture is a rule before its parts are put on scales: what each of them
// counts, in standard deviations. Difference is P(strong right) − P(weak
// right), fails is −P(weak right).
type mixture struct{ difference, fails, gap, length, demand float64 }

// The mixtures. That the weak model fails is what carries over to a form that
// training did not see; the difference and the gap are for texts like those in
// training. Where these were few among others, everything counts.
var (
	mixtureUnseen = mixture{fails: 1, demand: 1, length: 0.5}
	mixtureFew    = mixture{fails: 1, gap: 1, demand: 1, length: 0.5}
	mixtures      = []mixture{
		{difference: 1, gap: 1, length: 0.5, demand: 0.25},
		{difference: 0.5, gap: 1, length: 0.5, demand: 0.5},
		{difference: 1, gap: 0.5, length: 0.25},
		{difference: 1, length: 0.5},
	}
)

// spreads are the standard deviations of the parts.
type spreads struct{ difference, fails, gap, length, demand float64 }

// usualSpreads are those of questions of all kinds, for parts that are not
// learned.
var usualSpreads = spreads{length: 0.65, demand: 1.4}

// rule puts a mixture on the scales of its parts.
func (m mixture) rule(s spreads) NeedRule {
	share := func(weight, spread float64) float64 {
		if weight == 0 || spread <= 0 {
			return 0
		}
		return weight / spread
	}
	difference := share(m.difference, s.difference)
	weak := difference + share(m.fails, s.fails)
	if weak == 0 {
		weak = 1
	}
	return NeedRule{
		Strong: round(difference / weak), Gap: round(share(m.gap, s.gap) / weak),
		Length: round(share(m.length, s.length) / weak), Demand: round(share(m.demand, s.demand) / weak),
	}
}

const leastFormRows = 100 // rows from which on a rule is learned

// clearly is how much better the APGR of a mixture must be than that of one
// before it: small differences are chance.
const clearly = 0.01

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
	for o := range probabilityOutputs {
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
	demands := demandsOf(rows)
	c.Need = &NeedRules{Options: chooseRule(rows, scores, demands, true), Open: chooseRule(rows, scores, demands, false)}
	own, strong, weak := make([]float64, len(rows)), make([]float64, len(rows)), make([]float64, len(rows))
	for i := range rows {
		d := &rows[i].Document
		own[i] = c.Need.of(d).need(scores[i], d, demands[i])
		strong[i] = (&NeedRule{Strong: 1}).need(scores[i], d, 0)
		weak[i] = (&NeedRule{}).need(scores[i], d, 0)
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

// demandsOf are the demands of rows' texts.
func demandsOf(rows []Row) []float64 {
	var f features
	out := make([]float64, len(rows))
	for i := range rows {
		f.run(&rows[i].Document, familySet(FamilyMeasure))
		out[i] = f.demand
	}
	return out
}

// chooseRule finds the rule for the rows that are, or are not, questions with
// options.
func chooseRule(rows []Row, scores [][]float32, demands []float64, options bool) NeedRule {
	var at []int
	var part []Row
	for i := range rows {
		if hasOptions(rows[i].Text) == options {
			at = append(at, i)
			part = append(part, rows[i])
		}
	}
	if len(part) < leastFormRows && len(part)*2 < len(rows) {
		s := spread(rows, scores, demands, every(len(rows)))
		s.length, s.demand = usualSpreads.length, usualSpreads.demand
		return mixtureUnseen.rule(s).usual(rows, scores)
	}
	s := spread(rows, scores, demands, at)
	if len(part)*2 < len(rows) {
		return mixtureFew.rule(s).onGap(rows, scores, demands, at)
	}
	best, figure := NeedRule{}, -1.0
	need := make([]float64, len(part))
	for _, m := range mixtures {
		r := m.rule(s)
		for j, i := range at {
			need[j] = r.need(scores[i], &rows[i].Document, demands[i])
		}
		if f := routingFigures(part, need).APGR; f > figure+clearly {
			best, figure = r, f
		}
	}
	best.Rows = len(part)
	return best.onGap(rows, scores, demands, at)
}

// leastScale keeps a rule's order where its needs and the gaps do not go
// together.
const leastScale = 1e-3

// onGap gives a rule the scale and the offset that make its needs the expected
// gaps of some rows.
func (r NeedRule) onGap(rows []Row, scores [][]float32, demands []float64, at []int) NeedRule {
	var n, sx, sy, sxx, sxy float64
	for _, i := range at {
		x, y := r.need(scores[i], &rows[i].Document, demands[i]), rows[i].Strong-rows[i].Weak
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	slope := 0.0
	if v := sxx - sx*sx/n; v > 0 {
		slope = (sxy - sx*sy/n) / v
	}
	r.Scale = round(max(slope, leastScale))
	r.Offset = round(sy/n - r.Scale*sx/n)
	return r
}

// usual gives a rule for a form without rows a scale and an offset: an open
// question of 200 characters that asks for nothing in particular has the mean
// need of all rows.
func (r NeedRule) usual(rows []Row, scores [][]float32) NeedRule {
	const characters = 200
	var weak, gap float64
	for i := range rows {
		weak += float64(sigmoid(scores[i][outputWeak])) / float64(len(rows))
		gap += (rows[i].Strong - rows[i].Weak) / float64(len(rows))
	}
	// Gaps can be told apart by about so much; the parts of this need spread
	// by the demand's share each.
	const told, parts = 0.1, 1.5
	r.Scale = round(told / max(parts*r.Demand*usualSpreads.demand, told))
	r.Offset = round(gap - r.Scale*(r.Length*math.Log(1+characters)-weak))
	return r
}

// spread measures the parts of a need on some rows.
func spread(rows []Row, scores [][]float32, demands []float64, at []int) spreads {
	deviation := func(value func(i int) float64) float64 {
		var sum, squares float64
		for _, i := range at {
			v := value(i)
			sum += v
			squares += v * v
		}
		n := float64(len(at))
		return math.Sqrt(max(squares/n-sum/n*(sum/n), 0))
	}
	strong := func(i int) float64 { return float64(sigmoid(scores[i][outputStrong])) }
	weak := func(i int) float64 { return float64(sigmoid(scores[i][outputWeak])) }
	s := spreads{
		difference: deviation(func(i int) float64 { return strong(i) - weak(i) }), fails: deviation(weak),
		length: deviation(func(i int) float64 { return logLength(&rows[i].Document) }), demand: deviation(func(i int) float64 { return demands[i] }),
	}
	if len(scores[0]) > outputGap {
		s.gap = deviation(func(i int) float64 { return float64(scores[i][outputGap]) })
	}
	return s
}

// routingTargets are what the probabilities learn from one row.
func routingTargets(r *Row) [probabilityOutputs]float32 {
	return [probabilityOutputs]float32{float32(r.Weak), float32(r.Strong)}
}

// routable says that a row's columns can be learned from: 0 to 1.
func routable(r *Row) bool {
	return !slices.ContainsFunc([]float64{r.Weak, r.Strong}, func(v float64) bool { return v < 0 || v > 1 })
}
