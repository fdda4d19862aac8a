package learn

import (
	"cmp"
	"context"
	"maps"
	"slices"
)

// Texts of an unknown group are judged by views: the beginning of the text
// alone, by features that several groups share, with weights of their own.
// What is far down in a text (templates, versions, logs) tells more about the
// group than about the label, and misleads elsewhere.

// View is how a text of an unknown group is looked at.
type View struct {
	// Bytes is how much of the text is looked at, its title beside it.
	Bytes int `json:"bytes"`
}

// strangerViews are the views of a head with groups; their scores are added.
var strangerViews = []View{{150}, {400}}

// Bounds of views.
const (
	maxViews        = 4
	leastViewGroups = 3 // groups from which on views are learned
	viewGroups      = 2 // groups that a feature must occur in
)

// viewScaling is what the views of a head look at: no lines, no copies.
func viewScaling(s scaling) scaling {
	s.families &^= familySet(FamilyLine)
	s.grouped = false
	return s
}

// cut returns the document as the view shows it.
func (v View) cut(d *Document) Document {
	return Document{Title: d.Title, Text: cut(d.Text, v.Bytes)}
}

// viewSalt takes the place of a group's number in the keys of view i.
func viewSalt(i int) uint64 { return groupHash("\x00view") + uint64(i)*2 + 1 }

// viewed is the features and the weights of one view in training.
type viewed struct {
	x      *matrix
	groups []int32 // row → group
}

func (t *training) newViewed(v View) *viewed {
	sc := viewScaling(t.settings.scaling)
	rows := make([]Row, len(t.rows))
	for i := range t.rows {
		rows[i].Document = v.cut(&t.rows[i].Document)
	}
	out := &viewed{groups: t.groupNumbers()}
	out.x = newMatrix(rows, &sc, t.settings.minRows)
	return out
}

// shared drops the columns that fewer than viewGroups groups of the seen rows
// have.
func (v *viewed) shared(seen []int) *matrix {
	first := make([]int32, len(v.x.keys)) // the column's first group and one
	several := make([]bool, len(v.x.keys))
	for _, r := range seen {
		for _, c := range v.x.cols[v.x.start[r]:v.x.start[r+1]] {
			switch g := v.groups[r] + 1; {
			case first[c] == 0:
				first[c] = g
			case first[c] != g:
				several[c] = true
			}
		}
	}
	out := &matrix{keys: v.x.keys, start: make([]int, 1, len(v.x.start))}
	for r := range v.x.rows() {
		for j := v.x.start[r]; j < v.x.start[r+1]; j++ {
			if several[v.x.cols[j]] {
				out.cols = append(out.cols, v.x.cols[j])
				out.vals = append(out.vals, v.x.vals[j])
			}
		}
		out.shared = append(out.shared, len(out.cols))
		out.start = append(out.start, len(out.cols))
	}
	return out
}

// strangers is what training knows of texts of unknown groups.
type strangers struct {
	views  []*viewed
	fitted []*linear
	xs     []*matrix
	scores [][]float32 // by views that saw no row of the row's group
}

// learnViews fits the views on all rows, and on the rows of all groups but one
// fold of them for the held-out scores.
func (t *training) learnViews(ctx context.Context) (*strangers, error) {
	named := map[string]bool{}
	for i := range t.rows {
		named[t.rows[i].Group] = true
	}
	s := &strangers{scores: make([][]float32, len(t.rows))}
	for i := range s.scores {
		s.scores[i] = make([]float32, t.problem.k)
	}
	// Groups are dealt into folds by name.
	fold := map[string]int{}
	folds := min(len(named), 5)
	for i, g := range slices.Sorted(maps.Keys(named)) {
		fold[g] = i % folds
	}
	done, total := 0, len(strangerViews)*(folds+1)
	for _, view := range strangerViews {
		v := t.newViewed(view)
		s.views = append(s.views, v)
		for f := range folds {
			var seen, held []int
			for i := range t.rows {
				if fold[t.rows[i].Group] == f {
					held = append(held, i)
				} else {
					seen = append(seen, i)
				}
			}
			x := v.shared(seen)
			l, err := t.fitView(ctx, x, seen)
			if err != nil {
				return nil, err
			}
			for _, i := range held {
				for o, z := range l.score(x, i, false) {
					s.scores[i][o] += z / float32(len(strangerViews))
				}
			}
			done++
			t.progress("unknown groups", done, total)
		}
		x := v.shared(every(len(t.rows)))
		l, err := t.fitView(ctx, x, every(len(t.rows)))
		if err != nil {
			return nil, err
		}
		s.fitted, s.xs = append(s.fitted, l), append(s.xs, x)
		done++
		t.progress("unknown groups", done, total)
	}
	return s, nil
}

// judgeStrangers measures scores of rows whose group was left out.
func (t *training) judgeStrangers(scores [][]float32, temperature float64) *UnknownGroups {
	type part struct{ class, predicted []int32 }
	by := map[string]*part{}
	js := make([]judged, len(scores))
	out := &UnknownGroups{}
	for i, z := range scores {
		best := 0
		for o := range z {
			if z[o] > z[best] {
				best = o
			}
		}
		class := t.problem.class[i]
		p := by[t.rows[i].Group]
		if p == nil {
			p = &part{}
			by[t.rows[i].Group] = p
		}
		p.class, p.predicted = append(p.class, class), append(p.predicted, int32(best))
		js[i] = judged{topProbability(z, best, temperature), int32(best) == class}
		if js[i].right {
			out.Accuracy++
		}
	}
	for _, g := range slices.Sorted(maps.Keys(by)) {
		out.MacroF1ByGroupMean += macroF1(by[g].class, by[g].predicted, t.problem.k)
	}
	out.Groups = len(by)
	out.Accuracy = round(out.Accuracy / float64(len(scores)))
	out.MacroF1ByGroupMean = round(out.MacroF1ByGroupMean / float64(len(by)))
	out.ECE = calibrationError(js)
	return out
}

func (t *training) fitView(ctx context.Context, x *matrix, seen []int) (*linear, error) {
	p := t.problem
	p.x = x
	opt := t.settings.fitting
	opt.lone = 0
	return fit(ctx, &p, seen, opt, nil)
}

// add puts the views' weights beside those in q, at most maxBytes of them.
func (s *strangers) add(q *weights, maxBytes int) {
	type entry struct {
		key uint32
		w   []float32
	}
	var all []entry
	for i := range q.keys {
		all = append(all, entry{q.keys[i], q.w[i*q.k : (i+1)*q.k]})
	}
	share := float32(len(s.views))
	for i, l := range s.fitted {
		df := make([]int32, len(s.xs[i].keys))
		for _, c := range s.xs[i].cols {
			df[c]++
		}
		part := &weights{k: q.k, keys: slices.Clone(s.xs[i].keys), w: slices.Clone(l.w), dense: true}
		var kept []int
		for c := range part.keys {
			if df[c] > 0 {
				kept = append(kept, c)
			}
		}
		for at, c := range kept {
			df[at] = df[c]
		}
		part.keep(kept)
		part.prune(df, maxBytes/len(s.views))
		for c, key := range part.keys {
			w := part.w[c*q.k : (c+1)*q.k]
			for o := range w {
				w[o] /= share
			}
			all = append(all, entry{groupKey(key, viewSalt(i)), w})
		}
		bias := make([]float32, q.k)
		for o, b := range l.bias {
			bias[o] = b / groupBias / share
		}
		all = append(all, entry{groupKey(0, viewSalt(i)), bias})
	}
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	keys, w := make([]uint32, 0, len(all)), make([]float32, 0, len(all)*q.k)
	for _, e := range all {
		keys, w = append(keys, e.key), append(w, e.w...)
	}
	q.keys, q.w = keys, w
}

// strange says that the text in s is judged by the views.
func (m *Model) strange(s *scratch) bool {
	return len(m.meta.Features.Views) > 0 && !m.groups[s.features.group]
}

// strangeScores sums up the weights of the views.
func (m *Model) strangeScores(s *scratch) []float32 {
	z := s.scores(m.k)
	clear(z)
	sc := viewScaling(m.scaling)
	for i, view := range m.meta.Features.Views {
		f := s.look(view, sc.families)
		salt := viewSalt(i)
		norm := sc.norm(f)
		for fam := range familyCount {
			if !sc.families.Has(fam) {
				continue
			}
			from, to := sc.span(f, fam)
			for _, key := range f.keys[from:to] {
				if at := m.find(groupKey(key, salt)); at >= 0 {
					m.addRow(&s.steps, at)
				}
			}
			m.settle(z, &s.steps, norm*sc.weight[fam])
		}
		if at := m.find(groupKey(0, salt)); at >= 0 {
			m.addRow(&s.steps, at)
			m.settle(z, &s.steps, groupBias)
		}
	}
	for o := range z {
		z[o] *= m.scale[o]
	}
	return z
}

// look makes the features of the text in s as a view shows it.
func (s *scratch) look(v View, families FamilySet) *features {
	s.seen = v.cut(&s.doc)
	s.view.run(&s.seen, families)
	s.seen = Document{}
	return &s.view
}
