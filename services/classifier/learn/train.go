package learn

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
)

// GroupUse says whether groups get features of their own.
type GroupUse string

// The uses of groups.
const (
	// GroupsAuto is on for label heads of which most rows name a group.
	GroupsAuto GroupUse = "auto"
	// GroupsOn is on wherever a row names a group.
	GroupsOn GroupUse = "on"
	// GroupsOff ignores groups.
	GroupsOff GroupUse = "off"
	// GroupsApart is for rows that were made alike within a group, such as
	// those of one template: what is measured is measured on groups that were
	// left out whole, and a feature must occur in two groups.
	GroupsApart GroupUse = "apart"
)

// TrainConfig is what Train is told. The zero value of every field but Head is
// usable.
type TrainConfig struct {
	// Head is the name of the head, 1 to 100 bytes.
	Head string
	// Seed is the seed of every random choice.
	Seed uint64
	// Groups says whether groups get features of their own; empty is auto.
	Groups GroupUse
	// OutOfScope is the label of texts that belong to none of the others.
	// Empty recognises "oos", "out_of_scope" and the like.
	OutOfScope string
	// TargetAccuracy is how often accepted answers shall be right; 0 is 0.9.
	TargetAccuracy float64
	// MaxBytes bounds the weights of the model; 0 is 1 MB, and 1.5 MB with
	// more than fifty labels.
	MaxBytes int
	// Source and Licence are notes about the data, kept in the model.
	Source, Licence string
	// Progress, where not nil, is told about every stage. It may be called
	// from several goroutines, one at a time.
	Progress func(stage string, done, total int)
}

// MinRows is the least number of rows that Train takes.
const MinRows = 20

// ErrTooFew is wrapped by errors of Train about too few rows or labels.
var ErrTooFew = errors.New("too few rows to train on")

// Train makes a model of rows. The order of rows does not matter beyond ties:
// they are shuffled by the seed. Equal rows and settings give equal bytes. It
// ends early with the error of ctx when ctx is done.
func Train(ctx context.Context, rows []Row, cfg TrainConfig) (*Model, error) {
	if cfg.Head == "" || len(cfg.Head) > 100 {
		return nil, errors.New("the head needs a name of 1 to 100 bytes")
	}
	if cfg.TargetAccuracy == 0 {
		cfg.TargetAccuracy = 0.9
	}
	if !(cfg.TargetAccuracy > 0 && cfg.TargetAccuracy <= 1) {
		return nil, errors.New("the target accuracy must be above 0 and at most 1")
	}
	if cfg.MaxBytes != 0 && cfg.MaxBytes < 1<<10 || cfg.MaxBytes > maxModelBytes/2 {
		return nil, fmt.Errorf("the size of a model must be from %d to %d bytes", 1<<10, maxModelBytes/2)
	}
	switch cfg.Groups {
	case "", GroupsAuto, GroupsOn, GroupsOff, GroupsApart:
	default:
		return nil, fmt.Errorf("unknown use of groups %q", cfg.Groups)
	}
	if len(rows) < MinRows {
		return nil, fmt.Errorf("%w: %d, the least is %d", ErrTooFew, len(rows), MinRows)
	}
	t := &training{cfg: cfg}
	if err := t.sort(rows); err != nil {
		return nil, err
	}
	if risk, ok := riskLabel(t.labels); ok && !t.rows[0].Routed {
		return t.runWindows(ctx, risk)
	}
	if err := t.prepare(); err != nil {
		return nil, err
	}
	return t.run(ctx)
}

// training is one run of Train.
type training struct {
	cfg      TrainConfig
	rows     []Row
	digest   string
	labels   []string
	settings settings
	problem  problem
	// ridgeKeys are the features that a routing head learns the gap from.
	ridgeKeys map[uint32]bool
	mu        sync.Mutex
}

// sort puts the rows in order and finds their labels.
func (t *training) sort(rows []Row) error {
	t.rows, t.digest = canonical(rows)
	if t.rows[0].Routed {
		t.labels = routingLabels
		for i := range t.rows {
			if !routable(&t.rows[i]) {
				return errors.New(`to learn from them, "weak" and "strong" must be from 0 to 1`)
			}
		}
	} else {
		for i := range t.rows {
			t.labels = append(t.labels, t.rows[i].Label)
		}
		slices.Sort(t.labels)
		t.labels = slices.Compact(t.labels)
		if len(t.labels) < 2 {
			return fmt.Errorf("%w: all have the label %q", ErrTooFew, t.labels[0])
		}
		if len(t.labels) > MaxLabels {
			return fmt.Errorf("there are %d labels; the limit is %d", len(t.labels), MaxLabels)
		}
	}
	return nil
}

// prepare chooses the settings and makes the vectors.
func (t *training) prepare() error {
	t.progress("features", 0, 1)
	t.settings = choose(t.rows, len(t.labels), t.cfg.Groups)
	t.settings.fitting.seed = t.cfg.Seed
	if t.cfg.MaxBytes != 0 {
		t.settings.maxBytes = t.cfg.MaxBytes
	}
	p := &t.problem
	p.k = len(t.labels)
	p.x = newMatrix(t.rows, &t.settings.scaling, t.settings.minRows)
	if t.settings.apart {
		v := &viewed{x: p.x, groups: t.groupNumbers()}
		p.x = v.shared(every(len(t.rows)))
		p.x.compact()
	}
	if len(p.x.keys) == 0 {
		return fmt.Errorf("%w: no word occurs in two of them", ErrTooFew)
	}
	if len(p.x.keys) > maxKeys {
		return fmt.Errorf("the rows have %d features; the limit is %d", len(p.x.keys), maxKeys)
	}
	for i := range t.rows {
		switch {
		case t.rows[i].Routed:
			o := routingTargets(&t.rows[i])
			p.target = append(p.target, o[:]...)
		default:
			c, _ := slices.BinarySearch(t.labels, t.rows[i].Label)
			p.class = append(p.class, int32(c))
		}
	}
	if t.rows[0].Routed {
		t.ridgeKeys = keysOf(t.rows, &t.settings.scaling, ridgeFamilies)
	}
	if t.settings.independent && p.target == nil {
		p.target = make([]float32, len(t.rows)*p.k)
		for i, c := range p.class {
			p.target[i*p.k+int(c)] = 1
		}
	}
	t.progress("features", 1, 1)
	return nil
}

// canonical returns the rows in an order that does not depend on the one they
// came in, and their digest.
func canonical(rows []Row) ([]Row, string) {
	type summed struct {
		sum [32]byte
		row Row
	}
	all := make([]summed, len(rows))
	for i := range rows {
		// Strings and numbers only: it cannot fail.
		b, _ := json.Marshal(rows[i])
		all[i] = summed{sha256.Sum256(b), rows[i]}
	}
	slices.SortStableFunc(all, func(a, b summed) int { return slices.Compare(a.sum[:], b.sum[:]) })
	h := sha256.New()
	out := make([]Row, len(rows))
	for i := range all {
		h.Write(all[i].sum[:])
		out[i] = all[i].row
	}
	return out, hex.EncodeToString(h.Sum(nil))
}

func (t *training) progress(stage string, done, total int) {
	if t.cfg.Progress != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.cfg.Progress(stage, done, total)
	}
}

// fit learns from rows what the head needs.
func (t *training) fit(ctx context.Context, p *problem, rows []int, opt fitting, progress func(done, total int)) (*linear, error) {
	if t.rows[0].Routed {
		return t.routed(ctx, p, rows, opt, progress)
	}
	return fit(ctx, p, rows, opt, progress)
}

func (t *training) run(ctx context.Context) (*Model, error) {
	held, err := t.crossValidate(ctx)
	if err != nil {
		return nil, err
	}
	meta := t.metadata()
	var strange *strangers
	if t.rows[0].Routed {
		meta.Calibration, meta.Validation = fitRouting(t.rows, held.scores)
	} else {
		class := t.problem.class
		meta.Calibration.Temperature = fitTemperature(held.scores, class)
		if t.settings.scaling.grouped {
			meta.Calibration.Alone = fitTemperature(held.alone, class)
			if t.settings.views {
				if strange, err = t.learnViews(ctx); err != nil {
					return nil, err
				}
				meta.Features.Views = strangerViews
				meta.Calibration.Alone = fitTemperature(strange.scores, class)
			}
		}
		meta.Calibration.TargetAccuracy = t.cfg.TargetAccuracy
		calibrateLabels(&meta, held.scores, class)
		if strange != nil {
			meta.Validation.UnknownGroups = t.judgeStrangers(strange.scores, meta.Calibration.Alone)
		}
	}
	l, err := t.fit(ctx, &t.problem, every(len(t.rows)), t.settings.fitting, func(done, total int) {
		t.progress("training", done, total)
	})
	if err != nil {
		return nil, err
	}
	t.progress("packing", 0, 1)
	df := make([]int32, len(t.problem.x.keys))
	for _, c := range t.problem.x.cols {
		df[c]++
	}
	q := &weights{k: t.problem.k, keys: slices.Clone(t.problem.x.keys), w: l.w, bias: l.bias, dense: t.settings.dense}
	if q.prune(df, t.settings.maxBytes) {
		if err := t.refit(ctx, q); err != nil {
			return nil, err
		}
	}
	meta.Top = t.topFeatures(q)
	if strange != nil {
		strange.add(q, t.settings.maxBytes/4)
	}
	data, err := encode(meta, q)
	if err != nil {
		return nil, err
	}
	t.progress("packing", 1, 1)
	return Load(data)
}

// refit lets the weights that are left make up for those that were pruned.
func (t *training) refit(ctx context.Context, q *weights) error {
	x := t.problem.x
	place := make([]int32, len(x.keys))
	at := 0
	for c, key := range x.keys {
		place[c] = -1
		if at < len(q.keys) && q.keys[at] == key {
			place[c] = int32(at)
			at++
		}
	}
	small := &matrix{keys: q.keys, start: make([]int, 1, len(x.start))}
	for r := range x.rows() {
		shared := -1
		for j := x.start[r]; j < x.start[r+1]; j++ {
			if j == x.shared[r] {
				shared = len(small.cols)
			}
			if c := place[x.cols[j]]; c >= 0 {
				small.cols = append(small.cols, c)
				small.vals = append(small.vals, x.vals[j])
			}
		}
		if shared < 0 {
			shared = len(small.cols)
		}
		small.shared = append(small.shared, shared)
		small.start = append(small.start, len(small.cols))
	}
	p := t.problem
	p.x = small
	opt := t.settings.fitting
	opt.epochs = max(opt.epochs/3, 2)
	opt.rate /= 2
	opt.start = &linear{q.k, q.w, q.bias}
	l, err := t.fit(ctx, &p, every(len(t.rows)), opt, func(done, total int) {
		t.progress("refitting", done, total)
	})
	if err != nil {
		return err
	}
	q.w, q.bias = l.w, l.bias
	return nil
}

func every(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// calibrateLabels fills in what follows from held-out scores once the
// temperature is known: thresholds and figures. class is -1 for rows whose
// label the model does not have.
func calibrateLabels(meta *Metadata, scores [][]float32, class []int32) {
	c, v := &meta.Calibration, &meta.Validation
	*v = Validation{}
	before := make([]judged, len(scores))
	after := make([]judged, len(scores))
	predicted := make([]int32, len(scores))
	for i, z := range scores {
		best := 0
		for o := range z {
			if z[o] > z[best] {
				best = o
			}
		}
		predicted[i] = int32(best)
		right := predicted[i] == class[i]
		before[i] = judged{topProbability(z, best, 1), right}
		after[i] = judged{topProbability(z, best, c.Temperature), right}
		if right {
			v.Accuracy++
		}
	}
	v.Accuracy = round(v.Accuracy / float64(len(scores)))
	v.MacroF1 = round(macroF1(class, predicted, len(meta.Labels)))
	v.ECEBefore, v.ECE = calibrationError(before), calibrationError(after)
	v.Coverage = coverageCurve(after)
	c.Accept = acceptThreshold(after, c.TargetAccuracy)
	scope := slices.Index(meta.Labels, meta.OutOfScope)
	c.Scope, c.Reject = nil, 0
	if meta.OutOfScope == "" || scope < 0 || len(meta.Labels) < 2 {
		return
	}
	c.Scope = fitScope(scores, class, c.Temperature, scope)
	judgedRows := make([]scoped, len(scores))
	for i, z := range scores {
		best := bestInScope(z, scope)
		judgedRows[i] = scoped{scopeScore(scopeLead(z, c.Temperature, scope), c.Scope), int(class[i]) == scope, int32(best) == class[i]}
	}
	_, c.Reject = scopeRecall(judgedRows, 0.9)
	if c.Reject > 1 {
		c.Reject = 1
	}
}

func bestInScope(z []float32, scope int) int {
	best := -1
	for o := range z {
		if o != scope && (best < 0 || z[o] > z[best]) {
			best = o
		}
	}
	return best
}

// topProbability is the probability of the best output.
func topProbability(z []float32, best int, temperature float64) float64 {
	var sum float64
	for _, v := range z {
		sum += math.Exp(float64(v-z[best]) / temperature)
	}
	return 1 / sum
}

func (t *training) metadata() Metadata {
	s := &t.settings
	meta := Metadata{
		Head: t.cfg.Head, Kind: KindLabel, Labels: t.labels,
		Training: Training{
			Rows: len(t.rows), Digest: t.digest, Source: t.cfg.Source, Licence: t.cfg.Licence, Seed: t.cfg.Seed,
			Folds: s.folds, Epochs: s.fitting.epochs, Rate: s.fitting.rate, Outputs: "one-of-k", NaiveBayes: s.fitting.power,
		},
		Features: FeatureSettings{Pieces: s.scaling.pieces, Grouped: s.scaling.grouped, Seen: len(t.problem.x.keys)},
	}
	if s.independent {
		meta.Training.Outputs = "independent"
	}
	for f := range familyCount {
		if s.scaling.families.Has(f) {
			meta.Features.Families = append(meta.Features.Families, f.String())
			meta.Features.Weights = append(meta.Features.Weights, float64(s.scaling.weight[f]))
		}
	}
	if s.scaling.grouped {
		for i := range t.rows {
			if g := t.rows[i].Group; g != "" {
				meta.Groups = append(meta.Groups, g)
			}
		}
		slices.Sort(meta.Groups)
		meta.Groups = slices.Compact(meta.Groups)
	}
	if t.rows[0].Routed {
		meta.Kind = KindRouting
		return meta
	}
	for _, name := range append([]string{t.cfg.OutOfScope}, outOfScopeLabels...) {
		if name != "" && slices.Contains(t.labels, name) {
			meta.OutOfScope = name
			break
		}
	}
	return meta
}
