package learn

import (
	"context"
	"math"
)

// A routing head's third output is the gap itself: how much better the strong
// model does on a text than the weak one. With a few hundred rows nearly all
// of what two probabilities say apart is noise, and their difference is noise
// twice; a least-squares fit of the difference that is shrunk hard keeps what
// many rows agree on.

// shrinkage is the penalty on squared weights, in rows' mean squared length.
const shrinkage = 5

// ridgeFamilies are the families that the gap is learned from: the build of a
// text. Its words outnumber that, and their share in the gap is noise; what is
// in them the probabilities have.
const ridgeFamilies = FamilySet(1 << FamilyMeasure)

// fitRidge fits y, less its mean, by least squares with a penalty on the
// weights of the columns in use. A column's penalty falls with its rarity
// among the rows: rare words say more. The result does not depend on the order
// of the columns' entries.
func fitRidge(ctx context.Context, x *matrix, rows []int, y []float32, use []bool, shrink float64) ([]float32, float32, error) {
	n := len(x.keys)
	df := make([]float64, n)
	for _, r := range rows {
		for _, c := range x.cols[x.start[r]:x.start[r+1]] {
			df[c]++
		}
	}
	rarity := make([]float64, n) // 0 for columns that are not used
	for c := range rarity {
		if use[c] && df[c] > 0 {
			rarity[c] = 1 + math.Log(float64(1+len(rows))/(1+df[c]))
		}
	}
	var mean, length float64
	for _, r := range rows {
		mean += float64(y[r])
		for j := x.start[r]; j < x.start[r+1]; j++ {
			v := float64(x.vals[j]) * rarity[x.cols[j]]
			length += v * v
		}
	}
	mean /= float64(len(rows))
	penalty := shrink * length / float64(len(rows))
	// Conjugate gradients for (XᵀX + penalty) w = Xᵀ(y - mean).
	apply := func(w, out []float64) {
		for c := range out {
			out[c] = penalty * w[c]
		}
		for _, r := range rows {
			var z float64
			for j := x.start[r]; j < x.start[r+1]; j++ {
				c := x.cols[j]
				z += float64(x.vals[j]) * rarity[c] * w[c]
			}
			for j := x.start[r]; j < x.start[r+1]; j++ {
				c := x.cols[j]
				out[c] += float64(x.vals[j]) * rarity[c] * z
			}
		}
	}
	w, rest, product := make([]float64, n), make([]float64, n), make([]float64, n)
	for _, r := range rows {
		d := float64(y[r]) - mean
		for j := x.start[r]; j < x.start[r+1]; j++ {
			rest[x.cols[j]] += float64(x.vals[j]) * rarity[x.cols[j]] * d
		}
	}
	direction := append([]float64(nil), rest...)
	dot := func(a, b []float64) (sum float64) {
		for i := range a {
			sum += a[i] * b[i]
		}
		return sum
	}
	left := dot(rest, rest)
	for first, round := left, 0; round < 50 && left > 1e-10*first && left > 0; round++ {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		apply(direction, product)
		step := left / dot(direction, product)
		for c := range w {
			w[c] += step * direction[c]
			rest[c] -= step * product[c]
		}
		now := dot(rest, rest)
		for c := range direction {
			direction[c] = rest[c] + now/left*direction[c]
		}
		left = now
	}
	out := make([]float32, n)
	for c := range w {
		out[c] = float32(w[c] * rarity[c])
	}
	return out, float32(mean), nil
}

// routed is fit for a routing head: its two probabilities by logistic
// regression, and the gap between them.
func (t *training) routed(ctx context.Context, p *problem, rows []int, opt fitting, progress func(done, total int)) (*linear, error) {
	two := *p
	two.k = probabilityOutputs
	if opt.start != nil {
		opt.start = opt.start.first(probabilityOutputs)
	}
	l, err := fit(ctx, &two, rows, opt, progress)
	if err != nil {
		return nil, err
	}
	gap := make([]float32, len(t.rows))
	for i := range t.rows {
		gap[i] = float32(t.rows[i].Strong - t.rows[i].Weak)
	}
	use := make([]bool, len(p.x.keys))
	for c, key := range p.x.keys {
		use[c] = t.ridgeKeys[key]
	}
	w, bias, err := fitRidge(ctx, p.x, rows, gap, use, t.settings.shrinkage)
	if err != nil {
		return nil, err
	}
	out := &linear{k: routingOutputs, w: make([]float32, len(p.x.keys)*routingOutputs), bias: append(l.bias, bias)}
	for c := range p.x.keys {
		copy(out.w[c*routingOutputs:], l.w[c*probabilityOutputs:(c+1)*probabilityOutputs])
		out.w[c*routingOutputs+outputGap] = w[c]
	}
	return out, nil
}

// first is the first k outputs.
func (l *linear) first(k int) *linear {
	out := &linear{k: k, bias: append([]float32(nil), l.bias[:k]...)}
	for i := 0; i < len(l.w); i += l.k {
		out.w = append(out.w, l.w[i:i+k]...)
	}
	return out
}

// keysOf are the keys that rows have in some families.
func keysOf(rows []Row, sc *scaling, families FamilySet) map[uint32]bool {
	var f features
	out := map[uint32]bool{}
	for i := range rows {
		f.run(&rows[i].Document, sc.families)
		for fam := range familyCount {
			if sc.families.Has(fam) && families.Has(fam) {
				from, to := sc.span(&f, fam)
				for _, key := range f.keys[from:to] {
					out[key] = true
				}
			}
		}
	}
	return out
}
