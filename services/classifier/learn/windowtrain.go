package learn

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
)

// riskPrior is the share of harmful texts that probabilities are calibrated
// for.
const riskPrior = 0.5

// nothingWeight is the share of all rows that a text without features counts
// for when probabilities are fitted.
const nothingWeight = 0.1

// maxFalseAlarms is the share of harmless held-out texts that may still be
// accepted as harmful.
const maxFalseAlarms = 0.02

// riskLabel returns the label for harmful texts where the labels are two and
// one of them means that nothing was found.
func riskLabel(labels []string) (risk string, ok bool) {
	if len(labels) != 2 {
		return "", false
	}
	for i, l := range labels {
		if slices.Contains(benignLabels, l) {
			return labels[1-i], true
		}
	}
	return "", false
}

// sample is one text as windowed training sees it.
type sample struct {
	keys    [][]uint32 // of every word: the features that it closes
	windows [][2]int   // first word and last word and one
	rows    []int      // row in the matrix of every window
	risky   bool
}

// runWindows is run for a windowed head.
func (t *training) runWindows(ctx context.Context, risk string) (*Model, error) {
	riskAt := int32(slices.Index(t.labels, risk))
	samples, x := t.samples(risk)
	if len(x.keys) == 0 {
		return nil, errors.Join(ErrTooFew, errors.New("no word occurs in two of the rows"))
	}
	p := problem{x: x, k: 2, class: make([]int32, x.rows())}
	for _, s := range samples {
		for _, r := range s.rows {
			p.class[r] = 1 - riskAt
			if s.risky {
				p.class[r] = riskAt
			}
		}
	}
	opt := fitting{epochs: 10, rate: 0.1, smooth: 1, power: 0.5, drop: 0.2, seed: t.cfg.Seed}
	t.settings = settings{folds: 5, minRows: 2, dense: true, fitting: opt, maxBytes: cmp.Or(t.cfg.MaxBytes, 1<<19)}
	t.problem = p
	class := make([]int32, len(samples))
	for i, s := range samples {
		class[i] = 1 - riskAt
		if s.risky {
			class[i] = riskAt
		}
	}
	t.problem.class = class
	t.settings.apart = t.cfg.Groups == GroupsApart
	part := t.split(t.settings.folds)
	t.problem.class = p.class

	scores := make([][]float32, len(samples))
	var nothing float64 // the lead of a text without features
	for fold := range t.settings.folds {
		var seen []int
		for i, f := range part {
			if f != fold {
				seen = append(seen, i)
			}
		}
		l, err := fitWindows(ctx, &p, samples, seen, int(riskAt), opt)
		if err != nil {
			return nil, err
		}
		nothing += float64(l.bias[riskAt]-l.bias[1-riskAt]) / float64(t.settings.folds)
		for i, f := range part {
			if f == fold {
				scores[i] = samples[i].worst(l, x, int(riskAt))
			}
		}
		t.progress("cross-validation", fold+1, t.settings.folds)
	}
	slope, offset := fitRisk(scores, class, int(riskAt), nothing)
	for _, z := range scores {
		z[riskAt] += float32(offset / slope)
	}
	meta := t.metadata()
	meta.Features = FeatureSettings{Window: windowWords, Seen: len(x.keys)}
	meta.Calibration.Temperature = 1 / slope
	meta.Calibration.TargetAccuracy = t.cfg.TargetAccuracy
	calibrateLabels(&meta, scores, class)
	meta.Calibration.Accept = riskThreshold(scores, class, int(riskAt), 1/slope)

	l, err := fitWindows(ctx, &p, samples, every(len(samples)), int(riskAt), opt)
	if err != nil {
		return nil, err
	}
	t.progress("training", 1, 1)
	l.bias[riskAt] += float32(offset / slope)
	df := make([]int32, len(x.keys))
	for _, c := range x.cols {
		df[c]++
	}
	q := &weights{k: 2, keys: slices.Clone(x.keys), w: slices.Clone(l.w), bias: slices.Clone(l.bias), dense: true}
	before := harmlessLead(l, x, samples, int(riskAt))
	if q.prune(df, t.settings.maxBytes) {
		// What was lost spoke for harmless texts more than for others: the line
		// between them moves with the worst of the harmless.
		left := &linear{k: 2, w: make([]float32, len(x.keys)*2), bias: l.bias}
		for i, key := range q.keys {
			c, _ := slices.BinarySearch(x.keys, key)
			copy(left.w[c*2:], q.w[i*2:i*2+2])
		}
		q.bias[riskAt] += before - harmlessLead(left, x, samples, int(riskAt))
	}
	data, err := encode(meta, q)
	if err != nil {
		return nil, err
	}
	t.progress("packing", 1, 1)
	return Load(data)
}

// samples takes the rows apart and makes the vectors of their windows.
func (t *training) samples(risk string) ([]*sample, *matrix) {
	var w windows
	all := make([]*sample, len(t.rows))
	df := map[uint32]int32{}
	for i := range t.rows {
		w.read(&t.rows[i].Document)
		w.forget()
		s := &sample{keys: make([][]uint32, len(w.tokens)), risky: t.rows[i].Label == risk}
		seen := map[uint32]bool{}
		for j := range w.tokens {
			n := w.closed(0, j, windowWords)
			s.keys[j] = slices.Clone(w.keys[:n])
			for _, key := range s.keys[j] {
				seen[key] = true
			}
		}
		for k := range seen {
			df[k]++
		}
		for from := 0; ; from += windowWords / 4 {
			to := min(from+windowWords, len(w.tokens))
			s.windows = append(s.windows, [2]int{from, to})
			if to == len(w.tokens) {
				break
			}
		}
		all[i] = s
		t.progress("features", i+1, len(t.rows))
	}
	maps.DeleteFunc(df, func(_ uint32, n int32) bool { return n < 2 })
	x := &matrix{keys: slices.Sorted(maps.Keys(df)), start: []int{0}}
	for i, k := range x.keys {
		df[k] = int32(i)
	}
	for _, s := range all {
		for _, win := range s.windows {
			from := len(x.cols)
			for _, keys := range s.keys[win[0]:win[1]] {
				for _, k := range keys {
					if c, ok := df[k]; ok {
						x.cols = append(x.cols, c)
					}
				}
			}
			slices.Sort(x.cols[from:])
			x.cols = x.cols[:from+len(slices.Compact(x.cols[from:]))]
			for range len(x.cols) - from {
				x.vals = append(x.vals, windowValue)
			}
			s.rows = append(s.rows, x.rows())
			x.shared = append(x.shared, len(x.cols))
			x.start = append(x.start, len(x.cols))
		}
	}
	return all, x
}

// fitWindows fits on the windows of the seen samples. Which window of a long
// harmful text is the harmful one is not known: the first round learns from
// short ones, the later rounds from the windows that the round before finds
// worst.
func fitWindows(ctx context.Context, p *problem, samples []*sample, seen []int, risk int, opt fitting) (*linear, error) {
	const short = 5 // windows
	var l *linear
	for round := range 3 {
		var rows []int
		risky := 0
		for _, i := range seen {
			s := samples[i]
			switch {
			case !s.risky:
				// Neighbouring windows overlap by three quarters: half of them will do.
				for j, r := range s.rows {
					if (j+round)%2 == 0 || len(s.rows) == 1 {
						rows = append(rows, r)
					}
				}
			case round == 0 && len(s.rows) <= short:
				rows = append(rows, s.rows...)
				risky++
			case round > 0:
				worst, at := float32(math.Inf(-1)), 0
				for j, r := range s.rows {
					if z := l.score(p.x, r, false); z[risk]-z[1-risk] > worst {
						worst, at = z[risk]-z[1-risk], j
					}
				}
				rows = append(rows, s.rows[at])
			}
		}
		if round == 0 && risky == 0 {
			for _, i := range seen {
				if samples[i].risky {
					rows = append(rows, samples[i].rows...)
				}
			}
		}
		var err error
		if l, err = fit(ctx, p, rows, opt, nil); err != nil {
			return nil, err
		}
		l.excuseLittle(risk)
	}
	return l, nil
}

// mostExcuse bounds what one feature can say against a window's being harmful,
// as a difference of two scores: who writes an attack chooses the words around
// it too.
const mostExcuse = 0.15

// excuseLittle makes the outputs' weights opposite and bounds them.
func (l *linear) excuseLittle(risk int) {
	for i := 0; i < len(l.w); i += 2 {
		d := max(l.w[i+risk]-l.w[i+1-risk], -mostExcuse/windowValue)
		l.w[i+risk], l.w[i+1-risk] = d/2, -d/2
	}
}

// harmlessLead is the lead of the harmful label that one harmless text in a
// hundred reaches.
func harmlessLead(l *linear, x *matrix, samples []*sample, risk int) float32 {
	var leads []float32
	for _, s := range samples {
		if !s.risky {
			z := s.worst(l, x, risk)
			leads = append(leads, z[risk]-z[1-risk])
		}
	}
	slices.Sort(leads)
	return leads[len(leads)*99/100]
}

// worst is the scores of the worst window.
func (s *sample) worst(l *linear, x *matrix, risk int) []float32 {
	var best []float32
	for _, r := range s.rows {
		if z := l.score(x, r, false); best == nil || z[risk]-z[1-risk] > best[risk]-best[1-risk] {
			best = z
		}
	}
	return best
}

// fitRisk finds slope and offset that make a probability of the lead of the
// harmful label, for riskPrior. A text that gives nothing to go by, whose lead
// is nothing, counts as harmless.
func fitRisk(scores [][]float32, class []int32, risk int, nothing float64) (slope, offset float64) {
	x := make([][]float64, len(scores))
	target, weight := make([]float64, len(scores)), make([]float64, len(scores))
	n := 0.0
	for _, c := range class {
		if int(c) == risk {
			n++
		}
	}
	all := float64(len(scores))
	for i, z := range scores {
		x[i] = []float64{float64(z[risk] - z[1-risk])}
		weight[i] = (1 - riskPrior) * all / (all - n)
		if int(class[i]) == risk {
			target[i], weight[i] = 1, riskPrior*all/n
		}
	}
	x, target, weight = append(x, []float64{nothing}), append(target, 0), append(weight, nothingWeight*all)
	w := fitLogistic(x, target, weight)
	return max(w[0], 0.05), w[1]
}

// riskThreshold is the least confidence, from 0.5, at which no more than
// maxFalseAlarms of the harmless texts are held to be harmful.
func riskThreshold(scores [][]float32, class []int32, risk int, temperature float64) float64 {
	var harmless []float64
	for i, z := range scores {
		if int(class[i]) != risk {
			harmless = append(harmless, 1/(1+math.Exp(-float64(z[risk]-z[1-risk])/temperature)))
		}
	}
	slices.Sort(harmless)
	at := len(harmless) - 1 - int(maxFalseAlarms*float64(len(harmless)))
	return round(max(0.5, math.Nextafter(harmless[at], 2)+1e-6))
}
