package learn

import (
	"cmp"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
)

// Evaluation is how well a model does on labelled rows.
type Evaluation struct {
	Head    string `json:"head"`
	Kind    Kind   `json:"kind"`
	Version string `json:"version"`
	// Rows is how many rows were judged.
	Rows int `json:"rows"`
	// Accuracy is the share of rows whose most probable label is right; for a
	// routing head that of P(weak right) ≥ 0.5.
	Accuracy float64 `json:"accuracy"`
	// MacroF1 is the mean F1 of the labels that are in the rows or were
	// predicted.
	MacroF1 float64 `json:"macro_f1"`
	// MacroF1ByGroupMean is the mean of the groups' own macro F1, where rows
	// have a group.
	MacroF1ByGroupMean *float64           `json:"macro_f1_by_group_mean,omitempty"`
	MacroF1ByGroup     map[string]float64 `json:"macro_f1_by_group,omitempty"`
	// ECE is the expected calibration error over fifteen bins.
	ECE float64 `json:"ece"`
	// Coverage is the coverage curve, from the surest rows to all.
	Coverage []CoveragePoint `json:"coverage"`
	// Calibration are the bins behind ECE.
	Calibration []CalibrationBin `json:"calibration"`
	// Classes has one entry per label of the model or the rows, by name.
	Classes []ClassFigures `json:"classes,omitempty"`
	// Confusion counts rows by right label, then by predicted label.
	Confusion map[string]map[string]int `json:"confusion,omitempty"`
	// OutOfScope is present where rows have the label for it.
	OutOfScope *ScopeFigures `json:"oos,omitempty"`
	// The routing figures are present for a routing head.
	*RoutingFigures
	// LengthOnly is the baseline of the longer text's needing the strong model.
	LengthOnly *RoutingFigures `json:"length_only,omitempty"`
	// Scores are the figures of the calibrated probabilities alone.
	Scores  map[string]RoutingFigures `json:"scores,omitempty"`
	ByGroup map[string]RoutingFigures `json:"routing_by_group,omitempty"`
}

// ClassFigures are one label's figures.
type ClassFigures struct {
	Label     string  `json:"label"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	Support   int     `json:"support"`
	Predicted int     `json:"predicted"`
}

// ScopeFigures say how well texts out of scope are told from the others.
type ScopeFigures struct {
	// InScopeAccuracy is the share of rows in scope whose most probable label
	// of all is right.
	InScopeAccuracy float64 `json:"in_scope_accuracy"`
	// OOSRecall is the largest share of rows out of scope that are recognised
	// while at least 90 % of the rows in scope are still answered right.
	// OOSThreshold is the score from which on texts are rejected for that.
	OOSRecall    float64 `json:"oos_recall"`
	OOSThreshold float64 `json:"oos_threshold"`
	// AtStored are the figures at the threshold that the model carries.
	AtStored struct {
		InScopeAccuracy float64 `json:"in_scope_accuracy"`
		OOSRecall       float64 `json:"oos_recall"`
		Threshold       float64 `json:"threshold"`
	} `json:"at_stored_threshold"`
	Support int `json:"support"`
}

// Evaluate judges rows and compares. Rows of the other kind (labels for a
// routing head, or the reverse) are refused by ErrKind. A label that the model
// does not know counts as wrong. A group that it does not know is judged by
// the shared features.
func (m *Model) Evaluate(rows []Row) (*Evaluation, error) {
	if err := m.accepts(rows); err != nil {
		return nil, err
	}
	predictions := m.classifyAll(rows)
	e := &Evaluation{Head: m.meta.Head, Kind: m.meta.Kind, Version: m.meta.Version}
	e.judge(rows, predictions, m.meta.Labels)
	if m.meta.Kind == KindLabel {
		m.evaluateScope(e, rows, predictions)
	}
	return e, nil
}

// EvaluatePredictions compares predictions, which several models may have
// made, with rows: prediction i is of row i. Figures about texts out of scope,
// which need a model, are left out.
func EvaluatePredictions(rows []Row, predictions []Prediction) (*Evaluation, error) {
	if len(rows) == 0 || len(rows) != len(predictions) {
		return nil, fmt.Errorf("%w: %d rows, %d predictions", ErrKind, len(rows), len(predictions))
	}
	e := &Evaluation{Head: predictions[0].Head, Kind: KindLabel}
	if rows[0].Routed {
		e.Kind = KindRouting
	}
	var labels []string
	for i := range rows {
		if rows[i].Routed != rows[0].Routed {
			return nil, fmt.Errorf("%w: rows of two kinds", ErrKind)
		}
		if !rows[i].Routed {
			labels = append(labels, predictions[i].Label)
		}
	}
	e.judge(rows, predictions, labels)
	return e, nil
}

// judge fills in what follows from the predictions.
func (e *Evaluation) judge(rows []Row, predictions []Prediction, labels []string) {
	e.Rows = len(rows)
	if e.Kind == KindRouting {
		e.routing(rows, predictions)
		return
	}
	names := slices.Clone(labels)
	for i := range rows {
		names = append(names, rows[i].Label)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	number := make(map[string]int32, len(names))
	for i, n := range names {
		number[n] = int32(i)
	}
	class, predicted := make([]int32, len(rows)), make([]int32, len(rows))
	js := make([]judged, len(rows))
	e.Confusion = map[string]map[string]int{}
	right := 0
	for i := range rows {
		class[i], predicted[i] = number[rows[i].Label], number[predictions[i].Label]
		js[i] = judged{predictions[i].Confidence, class[i] == predicted[i]}
		if js[i].right {
			right++
		}
		if e.Confusion[rows[i].Label] == nil {
			e.Confusion[rows[i].Label] = map[string]int{}
		}
		e.Confusion[rows[i].Label][predictions[i].Label]++
	}
	e.Accuracy = round(float64(right) / float64(len(rows)))
	e.MacroF1 = round(macroF1(class, predicted, len(names)))
	e.ECE, e.Calibration, e.Coverage = calibrationError(js), calibrationBins(js), coverageCurve(js)
	e.Classes = classTable(names, class, predicted)
	e.groups(rows, class, predicted, len(names))
}

func (e *Evaluation) groups(rows []Row, class, predicted []int32, k int) {
	type pairs struct{ class, predicted []int32 }
	by := map[string]*pairs{}
	for i := range rows {
		if g := rows[i].Group; g != "" {
			if by[g] == nil {
				by[g] = &pairs{}
			}
			by[g].class = append(by[g].class, class[i])
			by[g].predicted = append(by[g].predicted, predicted[i])
		}
	}
	if len(by) == 0 {
		return
	}
	e.MacroF1ByGroup = map[string]float64{}
	var sum float64
	for _, g := range slices.Sorted(maps.Keys(by)) {
		f1 := macroF1(by[g].class, by[g].predicted, k)
		e.MacroF1ByGroup[g] = round(f1)
		sum += f1
	}
	mean := round(sum / float64(len(by)))
	e.MacroF1ByGroupMean = &mean
}

// classifyAll judges rows on all processors, in order.
func (m *Model) classifyAll(rows []Row) []Prediction {
	out := make([]Prediction, len(rows))
	var wg sync.WaitGroup
	n := max(1, min(runtime.GOMAXPROCS(0), len(rows)/64))
	for w := range n {
		wg.Go(func() {
			for i := w; i < len(rows); i += n {
				out[i] = m.Classify(rows[i].Document)
			}
		})
	}
	wg.Wait()
	return out
}

// macroF1 is the mean F1 of the classes that occur on either side. A class
// below zero stands for a label that the model does not have.
func macroF1(class, predicted []int32, k int) float64 {
	hit, wrong, missed := make([]float64, k), make([]float64, k), make([]float64, k)
	for i := range class {
		if class[i] == predicted[i] {
			hit[class[i]]++
			continue
		}
		wrong[predicted[i]]++
		if class[i] >= 0 {
			missed[class[i]]++
		}
	}
	var sum, n float64
	for c := range k {
		if all := 2*hit[c] + wrong[c] + missed[c]; all > 0 {
			n++
			sum += 2 * hit[c] / all
		}
	}
	if n == 0 {
		return 0
	}
	return sum / n
}

func classTable(names []string, class, predicted []int32) []ClassFigures {
	out := make([]ClassFigures, len(names))
	hit := make([]float64, len(names))
	for i := range class {
		out[class[i]].Support++
		out[predicted[i]].Predicted++
		if class[i] == predicted[i] {
			hit[class[i]]++
		}
	}
	for c := range out {
		f := &out[c]
		f.Label = names[c]
		if f.Predicted > 0 {
			f.Precision = round(hit[c] / float64(f.Predicted))
		}
		if f.Support > 0 {
			f.Recall = round(hit[c] / float64(f.Support))
		}
		if n := f.Support + f.Predicted; n > 0 {
			f.F1 = round(2 * hit[c] / float64(n))
		}
	}
	return out
}

func (m *Model) evaluateScope(e *Evaluation, rows []Row, ps []Prediction) {
	label := m.meta.OutOfScope
	if label == "" {
		for _, name := range outOfScopeLabels {
			if slices.ContainsFunc(rows, func(r Row) bool { return r.Label == name }) {
				label = name
				break
			}
		}
	}
	if label == "" {
		return
	}
	var f ScopeFigures
	judgedRows := make([]scoped, len(rows))
	var inside, right, rightStored, caught float64
	for i := range rows {
		outside := rows[i].Label == label
		best := ps[i].Label
		if best == label {
			best = m.bestInScope(rows[i].Document)
		}
		judgedRows[i] = scoped{ps[i].OutOfScope, outside, best == rows[i].Label}
		rejected := ps[i].Rejected
		switch {
		case outside:
			f.Support++
			if rejected {
				caught++
			}
		default:
			inside++
			if ps[i].Label == rows[i].Label {
				right++
			}
			if !rejected && best == rows[i].Label {
				rightStored++
			}
		}
	}
	if f.Support == 0 || inside == 0 {
		return
	}
	f.InScopeAccuracy = round(right / inside)
	f.OOSRecall, f.OOSThreshold = scopeRecall(judgedRows, 0.9)
	f.AtStored.InScopeAccuracy = round(rightStored / inside)
	f.AtStored.OOSRecall = round(caught / float64(f.Support))
	f.AtStored.Threshold = m.meta.Calibration.Reject
	e.OutOfScope = &f
}

// bestInScope is the most probable label that is not the one for texts out of
// scope.
func (m *Model) bestInScope(d Document) string {
	best, at := -1.0, 0
	for i, p := range m.Probabilities(d, nil) {
		if i != m.scope && p > best {
			best, at = p, i
		}
	}
	return m.meta.Labels[at]
}

func (e *Evaluation) routing(rows []Row, ps []Prediction) {
	measure := func(rows []Row, score func(i int) float64) RoutingFigures {
		s := make([]float64, len(rows))
		for i := range s {
			s[i] = score(i)
		}
		return routingFigures(rows, s)
	}
	own := measure(rows, func(i int) float64 { return ps[i].Need })
	length := routingFigures(rows, lengthScores(rows))
	e.RoutingFigures, e.LengthOnly = &own, &length
	e.Scores = map[string]RoutingFigures{
		scoreDifference: measure(rows, func(i int) float64 { return ps[i].Strong - ps[i].Weak }),
		scoreWeakFails:  measure(rows, func(i int) float64 { return -ps[i].Weak }),
	}
	js := make([]judged, len(rows))
	class, predicted := make([]int32, len(rows)), make([]int32, len(rows))
	right := 0
	for i := range rows {
		weak := rows[i].Weak >= 0.5
		guess := ps[i].Weak >= 0.5
		if weak {
			class[i] = 1
		}
		if guess {
			predicted[i] = 1
		}
		if weak == guess {
			right++
		}
		js[i] = judged{ps[i].Weak, weak}
	}
	e.Accuracy = round(float64(right) / float64(len(rows)))
	e.MacroF1 = round(macroF1(class, predicted, 2))
	e.ECE, e.Calibration, e.Coverage = calibrationError(js), calibrationBins(js), coverageCurve(js)
	by := map[string][]int{}
	for i := range rows {
		if g := rows[i].Group; g != "" {
			by[g] = append(by[g], i)
		}
	}
	for g, at := range by {
		if len(by) < 2 || len(at) < 30 {
			continue
		}
		if e.ByGroup == nil {
			e.ByGroup = map[string]RoutingFigures{}
		}
		slices.SortFunc(at, func(a, b int) int { return cmp.Compare(a, b) })
		part := make([]Row, len(at))
		for j, i := range at {
			part[j] = rows[i]
		}
		e.ByGroup[g] = measure(part, func(j int) float64 { return ps[at[j]].Need })
	}
}
