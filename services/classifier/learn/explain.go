package learn

import (
	"cmp"
	"slices"
)

// Evidence is one feature of a text that speaks for or against a label.
type Evidence struct {
	// Feature is the word, pair, piece, line or sign, as the engine sees it:
	// in lower case, with placeholders for code, addresses, numbers and paths.
	Feature string `json:"feature"`
	// Family is the kind of feature; "group" for what the group has of its own.
	Family string `json:"family"`
	// Label is what it speaks for; for a routing head an output.
	Label string `json:"label"`
	// Weight is value × weight: what it adds to the label's score. Negative
	// speaks against it.
	Weight float64 `json:"weight"`
}

// Explanation is a prediction with its reasons.
type Explanation struct {
	Prediction Prediction `json:"prediction"`
	// Labels are the most probable labels, best first, at most five.
	Labels []LabelProbability `json:"labels"`
	// Evidence is the strongest features for the best label, by size.
	Evidence []Evidence `json:"evidence"`
}

// LabelProbability is a label with its probability.
type LabelProbability struct {
	Label       string  `json:"label"`
	Probability float64 `json:"probability"`
}

// Explain judges one text and says why: at most limit pieces of evidence for
// the predicted label; for a routing head, for the weak model's being right.
// It is for people and for traces, slower than Classify.
func (m *Model) Explain(d Document, limit int) Explanation {
	s := new(scratch)
	s.begin(d, m.scaling.families, m.scaling.pieces)
	e := Explanation{Prediction: m.judge(s)}
	for i, p := range m.Probabilities(d, nil) {
		e.Labels = append(e.Labels, LabelProbability{m.meta.Labels[i], round(p)})
	}
	if m.meta.Kind == KindLabel {
		slices.SortStableFunc(e.Labels, func(a, b LabelProbability) int { return cmp.Compare(b.Probability, a.Probability) })
		e.Labels = e.Labels[:min(5, len(e.Labels))]
	}
	e.Evidence = m.Evidence(d, limit)
	return e
}
