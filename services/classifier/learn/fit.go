package learn

import (
	"context"
	"math"
	"math/rand/v2"
)

// problem is what fit learns from: vectors and what is right.
type problem struct {
	x *matrix
	k int
	// class is the right output of a row, for one-of-k outputs.
	class []int32
	// target is, row by row, k values from 0 to 1, for independent outputs.
	// Nil for one-of-k.
	target []float32
}

// fitting is how fit goes about it.
type fitting struct {
	epochs int
	rate   float64
	decay  float64 // L2, per visit
	smooth float64 // of the naive-Bayes counts
	power  float64 // exponent of the naive-Bayes ratio
	// lone is the share of visits that see the shared features alone, so that
	// they stand on their own for unknown groups.
	lone float64
	// drop is the share of a row's features that a visit leaves out.
	drop float64
	seed uint64
	// start, where not nil, is where the weights begin; those that are zero
	// stay zero.
	start *linear
}

// linear is fitted weights.
type linear struct {
	k    int
	w    []float32 // column*k + output
	bias []float32
}

// ratios returns for every column and output how far the naive-Bayes
// log-count ratio is from zero: the pace at which that weight may move.
func ratios(p *problem, rows []int, opt fitting) []float32 {
	smooth, power := opt.smooth, opt.power
	k := p.k
	n := len(p.x.keys)
	with := make([]float64, n*k) // mass of the output among rows with the column
	total := make([]float64, n)
	mass := make([]float64, k)
	for _, r := range rows {
		for j := p.x.start[r]; j < p.x.start[r+1]; j++ {
			c := int(p.x.cols[j])
			total[c]++
			if p.target == nil {
				with[c*k+int(p.class[r])]++
			} else {
				for o := range k {
					with[c*k+o] += float64(p.target[r*k+o])
				}
			}
		}
		if p.target == nil {
			mass[p.class[r]]++
		} else {
			for o := range k {
				mass[o] += float64(p.target[r*k+o])
			}
		}
	}
	out := make([]float32, n*k)
	all := float64(len(rows))
	for c := range n {
		for o := range k {
			yes := (with[c*k+o] + smooth) / (mass[o] + 2*smooth)
			no := (total[c] - with[c*k+o] + smooth) / (all - mass[o] + 2*smooth)
			r := math.Abs(math.Log(yes / no))
			if power != 1 {
				r = math.Pow(r, power)
			}
			out[c*k+o] = float32(r)
		}
	}
	return out
}

// fit learns weights from the given rows: logistic regression by AdaGrad,
// every weight moving at its naive-Bayes pace, averaged over the last third.
// progress, where not nil, is called after every epoch.
//
// It ends early, with the error of ctx, when ctx is done.
func fit(ctx context.Context, p *problem, rows []int, opt fitting, progress func(done, total int)) (*linear, error) {
	k := p.k
	n := len(p.x.keys)
	var pace []float32
	if opt.power != 0 {
		pace = ratios(p, rows, opt)
	}
	w := make([]float32, n*k)
	masked := opt.start != nil
	if masked {
		copy(w, opt.start.w)
	}
	g2 := make([]float32, n*k)
	for i := range g2 {
		g2[i] = 1e-6
	}
	bias := make([]float32, k)
	if p.target != nil {
		for o := range k {
			var m float64
			for _, r := range rows {
				m += float64(p.target[r*k+o])
			}
			m = (m + 1) / (float64(len(rows)) + 2)
			bias[o] = float32(math.Log(m / (1 - m)))
		}
	}
	if masked {
		copy(bias, opt.start.bias)
	}
	bg2 := make([]float32, k)
	// The average costs as much memory as the weights: very large models go
	// without.
	averages := n*k <= 1<<23
	var sum []float32
	if averages {
		sum = make([]float32, n*k)
	}
	sumBias := make([]float32, k)
	averaged := 0
	z := make([]float32, k)
	g := make([]float32, k)
	var dc []int32
	var dv []float32
	active := make([]int32, 0, k)
	rng := rand.New(rand.NewPCG(opt.seed, 0x6c6561726e))
	order := append([]int(nil), rows...)
	for epoch := range opt.epochs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		rate := opt.rate * (1 - 0.9*float64(epoch)/float64(opt.epochs))
		keep := float32(1 - opt.decay*rate)
		for _, r := range order {
			end := p.x.start[r+1]
			if opt.lone > 0 && p.x.shared[r] < end && rng.Float64() < opt.lone {
				end = p.x.shared[r]
			}
			cols, vals := p.x.cols[p.x.start[r]:end], p.x.vals[p.x.start[r]:end]
			if opt.drop > 0 {
				dc, dv = dc[:0], dv[:0]
				up := float32(1 / (1 - opt.drop))
				for j := range cols {
					if rng.Float64() >= opt.drop {
						dc = append(dc, cols[j])
						dv = append(dv, vals[j]*up)
					}
				}
				cols, vals = dc, dv
			}
			copy(z, bias)
			scoreRow(z, w, cols, vals)
			if p.target == nil {
				softmax(z, 1)
				copy(g, z)
				g[p.class[r]]--
			} else {
				for o := range k {
					g[o] = sigmoid(z[o]) - p.target[r*k+o]
				}
			}
			active = active[:0]
			for o, v := range g {
				if v > 2e-4 || v < -2e-4 {
					active = append(active, int32(o))
					bg2[o] += v * v
					bias[o] -= float32(rate) * 0.1 * v / sqrt32(bg2[o]+1e-6)
				}
			}
			for j, c := range cols {
				v := vals[j]
				base := int(c) * k
				for _, o := range active {
					i := base + int(o)
					if masked && w[i] == 0 {
						continue
					}
					d := g[o] * v
					g2[i] += d * d
					step := float32(rate) * d / sqrt32(g2[i])
					if pace != nil {
						step *= pace[i]
					}
					w[i] = w[i]*keep - step
				}
			}
		}
		if averages && epoch >= opt.epochs*2/3 {
			averaged++
			for i, v := range w {
				sum[i] += v
			}
			for i, v := range bias {
				sumBias[i] += v
			}
		}
		if progress != nil {
			progress(epoch+1, opt.epochs)
		}
	}
	if !averages {
		return &linear{k, w, bias}, nil
	}
	for i := range sum {
		sum[i] /= float32(averaged)
	}
	for i := range sumBias {
		sumBias[i] /= float32(averaged)
	}
	return &linear{k, sum, sumBias}, nil
}

func scoreRow(z, w []float32, cols []int32, vals []float32) {
	k := len(z)
	j := 0
	for ; j+4 <= len(cols) && k > 8; j += 4 {
		v0, v1, v2, v3 := vals[j], vals[j+1], vals[j+2], vals[j+3]
		w0, w1 := w[int(cols[j])*k:][:k], w[int(cols[j+1])*k:][:k]
		w2, w3 := w[int(cols[j+2])*k:][:k], w[int(cols[j+3])*k:][:k]
		for o := range z {
			z[o] += v0*w0[o] + v1*w1[o] + v2*w2[o] + v3*w3[o]
		}
	}
	for ; j < len(cols); j++ {
		v := vals[j]
		for o, x := range w[int(cols[j])*k:][:k] {
			z[o] += v * x
		}
	}
}

// score returns the outputs for one row of the matrix, without the copies for
// its group where alone is set.
func (l *linear) score(x *matrix, r int, alone bool) []float32 {
	z := append([]float32(nil), l.bias...)
	end := x.start[r+1]
	if alone {
		end = x.shared[r]
	}
	scoreRow(z, l.w, x.cols[x.start[r]:end], x.vals[x.start[r]:end])
	return z
}

func sqrt32(v float32) float32 { return float32(math.Sqrt(float64(v))) }

func sigmoid(z float32) float32 { return float32(1 / (1 + math.Exp(-float64(z)))) }

// softmax turns scores into probabilities in place.
func softmax(z []float32, temperature float32) {
	best := z[0]
	for _, v := range z[1:] {
		best = max(best, v)
	}
	var sum float32
	for i, v := range z {
		e := float32(math.Exp(float64((v - best) / temperature)))
		z[i] = e
		sum += e
	}
	for i := range z {
		z[i] /= sum
	}
}
