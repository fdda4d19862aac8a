package learn

import (
	"context"
	"math"
	"slices"
	"testing"
)

func measureOf(text string) measured {
	var f features
	d := Document{Text: text}
	f.run(&d, familySet(FamilyMeasure))
	return f.measure(&d)
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	m := measureOf("Anna buys 12 pens for $1.50 each. Half of them are red, and 3/4 of the rest cost 10% more than before. How many are left?")
	if m.numbers != 4 || m.decimals != 1 || m.percents != 1 || m.money != 1 || m.sentences != 3 {
		t.Errorf("got %+v", m)
	}
	if m.kinds[measureFraction] != 2 || m.kinds[measureEach] != 1 || m.kinds[measureComparison] < 2 {
		t.Errorf("got %+v", m.kinds)
	}
	m = measureOf("Which is not a metal?\nA. Iron\nB. Zinc\nC. Neon\nD. Gold")
	if m.options != 4 || m.stem != 22 || m.kinds[measureNegation] != 1 {
		t.Errorf("got %+v", m)
	}
	hard := measureOf("Implement a function that solves the equation x^2 = 7 modulo a prime p and prove that it terminates.")
	easy := measureOf("Write a cheerful letter to my grandmother and describe our travel in a warm tone.")
	if hard.demand() <= easy.demand() {
		t.Errorf("demands %.2f and %.2f", hard.demand(), easy.demand())
	}
}

// A fit finds what made the numbers, whatever is shrunk away of its size.
func TestRidge(t *testing.T) {
	t.Parallel()
	x := &matrix{keys: []uint32{1, 2, 3}, start: []int{0}}
	var y []float32
	var rows []int
	for i := range 120 {
		row := []int32{}
		v := float32(0)
		if i%2 == 0 {
			row, v = append(row, 0), v+1
		}
		if i%3 == 0 {
			row, v = append(row, 1), v-1
		}
		if i%5 == 0 {
			row = append(row, 2) // says nothing
		}
		for _, c := range row {
			x.cols, x.vals = append(x.cols, c), append(x.vals, 1)
		}
		x.start, y, rows = append(x.start, len(x.cols)), append(y, v), append(rows, i)
	}
	w, bias, err := fitRidge(context.Background(), x, rows, y, []bool{true, true, true}, 1e-4)
	if err != nil {
		t.Fatal(err)
	}
	if w[0] < 0.5 || w[1] > -0.5 || math.Abs(float64(w[2])) > 0.1 || bias == 0 {
		t.Errorf("got %v, %v", w, bias)
	}
	unused, _, err := fitRidge(context.Background(), x, rows, y, []bool{true, false, true}, 1)
	if err != nil || unused[1] != 0 || unused[0] >= w[0] {
		t.Errorf("got %v, %v: a column that is not used, or nothing shrunk", unused, err)
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if _, _, err := fitRidge(ended, x, rows, y, []bool{true, true, true}, 1); err == nil {
		t.Error("no error where the context is done")
	}
}

// Models from before the gap was learned have two outputs and a rule without
// scale.
func TestOlderRoutingModel(t *testing.T) {
	t.Parallel()
	meta := Metadata{
		Head: "route", Kind: KindRouting, Labels: routingLabels[:probabilityOutputs],
		Features:    FeatureSettings{Families: []string{"word"}, Weights: []float64{1}},
		Calibration: Calibration{Slopes: []float64{1, 1}, Offsets: []float64{0, 0}, Need: &NeedRules{Open: NeedRule{Strong: 1, Length: 0.1}}},
	}
	key := featureKey(hashBytes("hard"), saltWord)
	data, err := encode(meta, &weights{k: 2, keys: []uint32{key}, w: []float32{-2, 1}, bias: []float32{1, 1}, dense: true})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load(data)
	if err != nil {
		t.Fatal(err)
	}
	hard, easy := m.Classify(Document{Text: "hard work"}), m.Classify(Document{Text: "soft work"})
	if hard.Need <= easy.Need || hard.Weak >= easy.Weak {
		t.Errorf("got %+v and %+v", hard, easy)
	}
}

// Needs of both forms are expected gaps: their means are the gaps' means.
func TestNeedsCompareAcrossForms(t *testing.T) {
	t.Parallel()
	var rows []Row
	for i := range 400 {
		r := Row{Routed: true, Strong: 1}
		r.Text = "what comes next in the list of plain things"
		if i%4 == 0 {
			r.Text = "prove the theorem and compute the integral of all things"
		}
		if i%2 == 0 {
			r.Text += "\nA. one\nB. two\nC. three\nD. four"
		} else {
			r.Weak = 1 // open questions need no strong model here
		}
		if i%4 == 0 || i%10 == 3 {
			r.Weak = 0
		}
		rows = append(rows, r)
	}
	m, err := Train(context.Background(), rows, TrainConfig{Head: "route", Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	sums := map[bool][3]float64{}
	for i := range rows {
		p := m.Classify(rows[i].Document)
		s := sums[hasOptions(rows[i].Text)]
		sums[hasOptions(rows[i].Text)] = [3]float64{s[0] + 1, s[1] + p.Need, s[2] + rows[i].Strong - rows[i].Weak}
	}
	for form, s := range sums {
		if math.Abs(s[1]-s[2])/s[0] > 0.1 {
			t.Errorf("options %v: mean need %.3f, mean gap %.3f", form, s[1]/s[0], s[2]/s[0])
		}
	}
	if !slices.Equal(m.Metadata().Labels, routingLabels) {
		t.Errorf("got %q", m.Metadata().Labels)
	}
}
