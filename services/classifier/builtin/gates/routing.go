package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// openQuestions are prompts of eight kinds that nothing is trained on. How
// well a weak and a strong model do is what their author guesses by kind: they
// stand in for rated conversations, and measure little more than that a router
// sends calculations, programs and puzzles to the strong model first.
//
//go:embed testdata/open_questions.jsonl
var openQuestions string

func apgr(e *learn.Evaluation) float64       { return e.APGR }
func cpt50(e *learn.Evaluation) float64      { return e.CPT50 }
func lengthOnly(e *learn.Evaluation) float64 { return e.LengthOnly.APGR }

func open() ([]learn.Row, error) {
	return learn.ReadRows(strings.NewReader(openQuestions), "open_questions.jsonl")
}

func routeOptions(b *bench) error {
	train, dev, ok, err := b.both("route_mmlu.jsonl")
	if err != nil || !ok {
		return err
	}
	m, err := b.train("route", train, 1)
	if err != nil {
		return err
	}
	e, err := m.Evaluate(dev)
	if err != nil {
		return err
	}
	pooled, err := b.pooled("route", slices.Concat(train, dev), nil, apgr, cpt50, lengthOnly)
	if err != nil {
		return err
	}
	how := func(s string, length float64) string { return fmt.Sprintf("%s (length alone %.3f)", s, length) }
	b.add(
		bar{head: "route_mmlu", what: "APGR", figure: e.APGR, gate: 0.61, target: 0.67, note: how("train, dev", e.LengthOnly.APGR)},
		bar{head: "route_mmlu", what: "CPT50", figure: e.CPT50, gate: 0.35, target: 0.27, atMost: true, note: "train, dev"},
		bar{head: "route_mmlu", what: "APGR", figure: pooled[0], gate: 0.61, target: 0.67, note: how("cross-validated, train and dev", pooled[2])},
		bar{head: "route_mmlu", what: "CPT50", figure: pooled[1], gate: 0.35, target: 0.27, atMost: true, note: "cross-validated, train and dev"},
	)
	return nil
}

func routeOpen(b *bench) error {
	rows, err := b.rows("train/route_gsm8k.jsonl")
	if err != nil || rows == nil {
		return err
	}
	pooled, err := b.pooled("route", rows, nil, apgr, cpt50, lengthOnly)
	if err != nil {
		return err
	}
	b.add(bar{head: "route_gsm8k", what: "APGR", figure: pooled[0], gate: 0.62, target: 0.65, note: fmt.Sprintf("cross-validated, %d rows (length alone %.3f; the bar is for a part where it has 0.62)", len(rows), pooled[2])})
	return nil
}

func routeTransfer(b *bench) error {
	options, err := b.rows("train/route_mmlu.jsonl")
	if err != nil || options == nil {
		return err
	}
	questions, err := open()
	if err != nil {
		return err
	}
	m, err := b.train("route", options, 1)
	if err != nil {
		return err
	}
	e, err := m.Evaluate(questions)
	if err != nil {
		return err
	}
	b.add(bar{head: "route_mmlu", what: "APGR, open questions never seen", figure: e.APGR, note: fmt.Sprintf("stand-in of %d questions with guessed figures (length alone %.3f); the bars 0.70 and 0.77 are for MT-Bench, which is not here", e.Rows, e.LengthOnly.APGR)})
	return nil
}

// routeOne is one model over all sets: each part is measured by models that
// did not see its rows.
func routeOne(b *bench) error {
	options, dev, ok, err := b.both("route_mmlu.jsonl")
	if err != nil || !ok {
		return err
	}
	maths, err := b.rows("train/route_gsm8k.jsonl")
	if err != nil || maths == nil {
		return err
	}
	questions, err := open()
	if err != nil {
		return err
	}
	m, err := b.train("route", slices.Concat(options, maths), 1)
	if err != nil {
		return err
	}
	e, err := m.Evaluate(dev)
	if err != nil {
		return err
	}
	o, err := m.Evaluate(questions)
	if err != nil {
		return err
	}
	pooled, err := b.pooled("route", maths, options, apgr, lengthOnly)
	if err != nil {
		return err
	}
	worst := min(e.APGR, o.APGR, pooled[0])
	b.add(bar{head: "route, one for all", what: "worst APGR", figure: worst, gate: 0.56, target: 0.60, note: fmt.Sprintf("MMLU dev %.3f, GSM8K cross-validated %.3f (length alone %.3f), open questions %.3f", e.APGR, pooled[0], pooled[1], o.APGR)})
	return nil
}
