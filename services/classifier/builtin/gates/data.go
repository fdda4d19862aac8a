package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// rows reads the rows of a file under the folder; nil, and a remark, where it
// is not there.
func (b *bench) rows(name string) ([]learn.Row, error) {
	path := filepath.Join(b.dir, name)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || b.dir == "" {
		remark := fmt.Sprintf("looked for %s: not there", path)
		if b.dir == "" {
			remark = fmt.Sprintf("looked for %s: no folder was given (-data)", name)
		}
		if !slices.Contains(b.lacks, remark) {
			b.lacks = append(b.lacks, remark)
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := learn.ReadRows(f, path)
	return rows, errors.Join(err, f.Close())
}

// both reads the training and the development part; ok where both are there.
func (b *bench) both(name string) (train, dev []learn.Row, ok bool, err error) {
	if train, err = b.rows("train/" + name); err != nil {
		return nil, nil, false, err
	}
	if dev, err = b.rows("dev/" + name); err != nil {
		return nil, nil, false, err
	}
	return train, dev, train != nil && dev != nil, nil
}

func (b *bench) train(head string, rows []learn.Row, seed int) (*learn.Model, error) {
	return learn.Train(b.ctx, rows, learn.TrainConfig{Head: head, Seed: uint64(seed)})
}

const folds = 5

// deal puts rows into folds by chance, those of a label evenly.
func deal(rows []learn.Row, seed int) []int {
	rng := rand.New(rand.NewPCG(uint64(seed), 0x6761746573))
	order := rng.Perm(len(rows))
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rows[a].Label, rows[b].Label) })
	fold := make([]int, len(rows))
	for at, i := range order {
		fold[i] = at % folds
	}
	return fold
}

// crossValidate judges every row by a model that was trained without its fold
// and with the rows of more.
func (b *bench) crossValidate(head string, rows, more []learn.Row, seed int) ([]learn.Prediction, error) {
	fold := deal(rows, seed)
	out := make([]learn.Prediction, len(rows))
	for f := range folds {
		train := slices.Clone(more)
		for i := range rows {
			if fold[i] != f {
				train = append(train, rows[i])
			}
		}
		m, err := b.train(head, train, seed)
		if err != nil {
			return nil, err
		}
		var at []int
		for i := range rows {
			if fold[i] == f {
				out[i] = m.Classify(rows[i].Document)
				at = append(at, i)
			}
		}
		if rows[0].Routed {
			ranks(out, at)
		}
	}
	return out, nil
}

// ranks puts needs on one scale: those of several models are not on one.
func ranks(ps []learn.Prediction, at []int) {
	sorted := slices.Clone(at)
	slices.SortStableFunc(sorted, func(a, b int) int { return cmp.Compare(ps[a].Need, ps[b].Need) })
	for rank, i := range sorted {
		ps[i].Need = float64(rank) / float64(len(at))
	}
}

// pooled evaluates the cross-validated predictions of several seeds and gives
// the mean of a figure of each.
func (b *bench) pooled(head string, rows, more []learn.Row, figures ...func(*learn.Evaluation) float64) ([]float64, error) {
	out := make([]float64, len(figures))
	for seed := 1; seed <= b.seeds; seed++ {
		ps, err := b.crossValidate(head, rows, more, seed)
		if err != nil {
			return nil, err
		}
		e, err := learn.EvaluatePredictions(rows, ps)
		if err != nil {
			return nil, err
		}
		for i, f := range figures {
			out[i] += f(e) / float64(b.seeds)
		}
	}
	return out, nil
}

func atCoverage(e *learn.Evaluation, share float64) float64 {
	for _, p := range e.Coverage {
		if p.Coverage >= share-1e-9 {
			return p.Accuracy
		}
	}
	return 0
}
