package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

func byGroup(e *learn.Evaluation) float64 {
	if e.MacroF1ByGroupMean == nil {
		return 0
	}
	return *e.MacroF1ByGroupMean
}

func issueType(b *bench) error {
	train, dev, ok, err := b.both("issue_type.jsonl")
	if err != nil || !ok {
		return err
	}
	began := time.Now()
	m, err := b.train("issue_type", train, 1)
	if err != nil {
		return err
	}
	took := time.Since(began)
	e, err := m.Evaluate(dev)
	if err != nil {
		return err
	}
	pooled, err := b.pooled("issue_type", slices.Concat(train, dev), nil, byGroup,
		func(e *learn.Evaluation) float64 { return atCoverage(e, 0.7) }, func(e *learn.Evaluation) float64 { return e.ECE })
	if err != nil {
		return err
	}
	for _, way := range []struct {
		how              string
		f1, covered, ece float64
	}{{"train, dev", byGroup(e), atCoverage(e, 0.7), e.ECE}, {"cross-validated, train and dev", pooled[0], pooled[1], pooled[2]}} {
		b.add(
			bar{head: "issue_type", what: "mean macro F1 of repositories", figure: way.f1, gate: 0.79, target: 0.82, note: way.how},
			bar{head: "issue_type", what: "accuracy at 70 % coverage", figure: way.covered, gate: 0.88, target: 0.90, note: way.how},
			bar{head: "issue_type", what: "calibration error", figure: way.ece, gate: 0.06, target: 0.04, atMost: true, note: way.how},
		)
	}
	b.add(
		bar{head: "issue_type", what: "seconds of training", figure: took.Seconds(), gate: 30, target: 5, atMost: true, note: fmt.Sprintf("%d rows", len(train))},
		bar{head: "issue_type", what: "size in MB", figure: float64(len(m.Bytes())) / (1 << 20), gate: 10, target: 3, atMost: true},
	)
	return nil
}

func unknownRepository(b *bench) error {
	train, dev, ok, err := b.both("issue_type.jsonl")
	if err != nil || !ok {
		return err
	}
	names := map[string]bool{}
	for i := range train {
		names[train[i].Group] = true
	}
	all := slices.Concat(train, dev)
	var sum float64
	note := "trained on the others' training part:"
	for seed := 1; seed <= b.seeds; seed++ {
		for _, name := range slices.Sorted(maps.Keys(names)) {
			var others, own []learn.Row
			for i := range train {
				if train[i].Group != name {
					others = append(others, train[i])
				}
			}
			for i := range all {
				if all[i].Group == name {
					own = append(own, all[i])
				}
			}
			m, err := b.train("issue_type", others, seed)
			if err != nil {
				return err
			}
			e, err := m.Evaluate(own)
			if err != nil {
				return err
			}
			sum += e.MacroF1
			if seed == 1 {
				note += fmt.Sprintf(" %s %.2f", name, e.MacroF1)
			}
		}
	}
	b.add(bar{head: "issue_type", what: "macro F1, repository never seen", figure: sum / float64(len(names)*b.seeds), gate: 0.64, target: 0.68, note: note})
	return nil
}

func intents(b *bench) error {
	train, dev, ok, err := b.both("intent150.jsonl")
	if err != nil || !ok {
		return err
	}
	m, err := b.train("intent150", train, 1)
	if err != nil {
		return err
	}
	e, err := m.Evaluate(dev)
	if err != nil {
		return err
	}
	if e.OutOfScope == nil {
		return fmt.Errorf("the rows have no label for texts out of scope")
	}
	b.add(
		bar{head: "intent150", what: "accuracy in scope", figure: e.OutOfScope.InScopeAccuracy, gate: 0.92, target: 0.935, note: "train, dev"},
		bar{head: "intent150", what: "recall out of scope at 90 % in scope", figure: e.OutOfScope.OOSRecall, gate: 0.70, target: 0.80, note: "train, dev"},
		bar{head: "intent150", what: "size in MB", figure: float64(len(m.Bytes())) / (1 << 20), gate: 10, target: 3, atMost: true},
	)
	return nil
}
