package learn

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// heldOut is the scores of every row by a model that did not see it.
type heldOut struct {
	scores [][]float32
	alone  [][]float32 // without the features of the row's group
}

// crossValidate scores every row by a model that was trained without it.
func (t *training) crossValidate(ctx context.Context) (*heldOut, error) {
	folds := t.settings.folds
	part := t.split(folds)
	out := &heldOut{make([][]float32, len(t.rows)), make([][]float32, len(t.rows))}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var epochs atomic.Int64
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for fold := range folds {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			var seen []int
			for i, f := range part {
				if f != fold {
					seen = append(seen, i)
				}
			}
			l, err := t.fit(ctx, &t.problem, seen, t.settings.fitting, func(_, total int) {
				t.progress("cross-validation", int(epochs.Add(1)), total*folds)
			})
			if err != nil {
				cancel(err)
				return
			}
			for i, f := range part {
				if f == fold {
					out.scores[i] = l.score(t.problem.x, i, false)
					if t.settings.scaling.grouped {
						out.alone[i] = l.score(t.problem.x, i, true)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return out, nil
}

// groupNumbers numbers the rows' groups.
func (t *training) groupNumbers() []int32 {
	number := map[string]int32{}
	out := make([]int32, len(t.rows))
	for i := range t.rows {
		g, ok := number[t.rows[i].Group]
		if !ok {
			g = int32(len(number))
			number[t.rows[i].Group] = g
		}
		out[i] = g
	}
	return out
}

// splitApart deals whole groups into folds, the groups of every label evenly.
func (t *training) splitApart(folds int) []int {
	rng := rand.New(rand.NewPCG(t.cfg.Seed, 0x666f6c64))
	label := map[string]string{}
	for i := range t.rows {
		label[t.rows[i].Group] = t.rows[i].Label
	}
	names := slices.Sorted(maps.Keys(label))
	rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(label[a], label[b]) })
	fold := map[string]int{}
	for i, g := range names {
		fold[g] = i % folds
	}
	part := make([]int, len(t.rows))
	for i := range t.rows {
		part[i] = fold[t.rows[i].Group]
	}
	return part
}

// split deals the rows into folds, every label evenly.
func (t *training) split(folds int) []int {
	if t.settings.apart {
		return t.splitApart(folds)
	}
	rng := rand.New(rand.NewPCG(t.cfg.Seed, 0x666f6c64))
	order := rng.Perm(len(t.rows))
	if !t.rows[0].Routed {
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(t.problem.class[a], t.problem.class[b]) })
	}
	part := make([]int, len(t.rows))
	for i, r := range order {
		part[r] = i % folds
	}
	return part
}
