package route

import "math"

// Sample sums the values of one metric.
type Sample struct {
	Count int64
	mean  float64
	m2    float64 // squared distances from the mean
}

// Add takes in a value.
func (s *Sample) Add(v float64) {
	s.Count++
	delta := v - s.mean
	s.mean += delta / float64(s.Count)
	s.m2 += delta * (v - s.mean)
}

// Mean is the mean; 0 without values.
func (s *Sample) Mean() float64 { return s.mean }

// Variance is that of a sample; 0 with fewer than two values.
func (s *Sample) Variance() float64 {
	if s.Count < 2 {
		return 0
	}
	return s.m2 / float64(s.Count-1)
}

// Proportions tests whether two shares differ: z and the chance of such a
// difference where there is none, both sides.
func Proportions(a, b *Sample) (z, p float64) {
	na, nb := float64(a.Count), float64(b.Count)
	if na == 0 || nb == 0 {
		return 0, 1
	}
	pooled := (a.Mean()*na + b.Mean()*nb) / (na + nb)
	se := math.Sqrt(pooled * (1 - pooled) * (1/na + 1/nb))
	if se == 0 {
		return 0, 1
	}
	z = (b.Mean() - a.Mean()) / se
	return z, math.Erfc(math.Abs(z) / math.Sqrt2)
}

// Welch tests whether two means differ, variances unlike: t and the chance of
// such a difference where there is none, both sides.
func Welch(a, b *Sample) (t, p float64) {
	if a.Count < 2 || b.Count < 2 {
		return 0, 1
	}
	va, vb := a.Variance()/float64(a.Count), b.Variance()/float64(b.Count)
	if va+vb == 0 {
		if a.Mean() == b.Mean() {
			return 0, 1
		}
		return math.Inf(sign(b.Mean() - a.Mean())), 0
	}
	t = (b.Mean() - a.Mean()) / math.Sqrt(va+vb)
	freedom := (va + vb) * (va + vb) / (va*va/float64(a.Count-1) + vb*vb/float64(b.Count-1))
	return t, incompleteBeta(freedom/(freedom+t*t), freedom/2, 0.5)
}

func sign(x float64) int {
	if x < 0 {
		return -1
	}
	return 1
}

// incompleteBeta is the regularised incomplete beta function, by its continued
// fraction (Lentz).
func incompleteBeta(x, a, b float64) float64 {
	if x <= 0 {
		return 0
	}
	if x >= 1 {
		return 1
	}
	lga, _ := math.Lgamma(a)
	lgb, _ := math.Lgamma(b)
	lgab, _ := math.Lgamma(a + b)
	front := math.Exp(lgab - lga - lgb + a*math.Log(x) + b*math.Log1p(-x))
	if x > (a+1)/(a+b+2) {
		return 1 - front*fraction(1-x, b, a)/b
	}
	return front * fraction(x, a, b) / a
}

func fraction(x, a, b float64) float64 {
	const tiny, accuracy = 1e-300, 1e-13
	away := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/away(1-(a+b)*x/(a+1))
	h := d
	for i := 1; i <= 500; i++ {
		m := float64(i)
		step := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d = 1 / away(1+step*d)
		c = away(1 + step/c)
		h *= d * c
		step = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d = 1 / away(1+step*d)
		c = away(1 + step/c)
		change := d * c
		h *= change
		if math.Abs(change-1) < accuracy {
			break
		}
	}
	return h
}
