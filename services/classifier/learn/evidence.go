package learn

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Evidence says why a text gets its label: the limit strongest features for
// the predicted label (for a routing head, for the weak model's being right),
// strongest first. It passes over the text twice and names the features that
// it returns alone, so it suits a trace of every request, as [Model.Explain]
// does not.
func (m *Model) Evidence(d Document, limit int) []Evidence {
	if limit <= 0 {
		return nil
	}
	if m.windowed {
		return m.EvidenceOf(d, m.Classify(d), limit)
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.begin(d, m.scaling.families, m.scaling.pieces)
	defer func() { s.doc = Document{} }()
	target := m.target(m.judge(s))
	var strong []contribution
	if m.strange(s) {
		strong = m.strangeStrongest(s, target, limit)
	} else {
		strong = m.strongest(s, target, limit)
	}
	names := make(map[uint32]string, len(strong))
	for _, c := range strong {
		names[c.base] = ""
	}
	if m.strange(s) {
		s.view.names, s.view.wanted = names, true
		for _, view := range m.meta.Features.Views {
			s.look(view, viewScaling(m.scaling).families)
		}
		s.view.names, s.view.wanted = nil, false
	} else {
		s.features.names, s.features.wanted = names, true
		s.features.run(&s.doc, m.scaling.families)
		s.features.names, s.features.wanted = nil, false
	}
	out := make([]Evidence, len(strong))
	for i, c := range strong {
		family, name := c.family.String(), names[c.base]
		if c.copied {
			family = "group"
			name = groupName(d.Group, name)
		}
		out[i] = Evidence{name, family, m.meta.Labels[target], round(float64(c.weight))}
	}
	return out
}

// EvidenceOf is Evidence of a text whose prediction is there. A head that judges
// windows passes over the worst one alone.
func (m *Model) EvidenceOf(d Document, p Prediction, limit int) []Evidence {
	if !m.windowed {
		return m.Evidence(d, limit)
	}
	if p.window[1] == 0 || limit <= 0 {
		return nil
	}
	text, title := d.Text, len(d.Title)+1 // and the line end
	if d.Title != "" {
		text, title = d.Title+"\n"+d.Text, 0
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.begin(Document{Text: text[int(p.window[0])-title : int(p.window[1])-title]}, 0, 0)
	defer func() { s.doc = Document{} }()
	s.windows.read(&s.doc)
	return m.riskEvidence(s, m.target(p), limit)
}

// target is the output that a prediction chose.
func (m *Model) target(p Prediction) int {
	if m.meta.Kind == KindRouting {
		return outputWeak
	}
	return slices.Index(m.meta.Labels, p.Label)
}

// contribution is what one feature adds to an output's score.
type contribution struct {
	base   uint32 // key of the feature, not of the group's copy
	copied bool
	family Family
	weight float32
}

// strongest returns the limit largest contributions by size. Equal sizes are
// in the order of their keys.
func (m *Model) strongest(s *scratch, target, limit int) []contribution {
	f := &s.features
	best := make([]contribution, 0, limit+1)
	norm := m.scaling.norm(f)
	known := m.scaling.grouped && f.group != 0 && m.groups[f.group]
	consider := func(key, base uint32, fam Family, v float32, copied bool) {
		at := m.find(key)
		if at < 0 {
			return
		}
		m.addRow(&s.steps, at)
		c := contribution{base, copied, fam, v * float32(s.steps[target]) * m.scale[target]}
		clear(s.steps[:m.k])
		if c.weight == 0 {
			return
		}
		place, _ := slices.BinarySearchFunc(best, c, stronger)
		if place < limit {
			best = slices.Insert(best, place, c)
			best = best[:min(len(best), limit)]
		}
	}
	for fam := range familyCount {
		if !m.scaling.families.Has(fam) {
			continue
		}
		from, to := m.scaling.span(f, fam)
		for _, key := range f.keys[from:to] {
			consider(key, key, fam, norm*m.scaling.weight[fam], false)
			if known && groupFamilies.Has(fam) {
				consider(groupKey(key, f.group), key, fam, norm*m.scaling.weight[fam], true)
			}
		}
	}
	if known {
		consider(groupKey(0, f.group), 0, FamilyWord, groupBias, true)
	}
	return best
}

// strangeStrongest is strongest for a text of an unknown group. What several
// views see counts once, with the sum of its weights.
func (m *Model) strangeStrongest(s *scratch, target, limit int) []contribution {
	sum := map[uint32]contribution{}
	sc := viewScaling(m.scaling)
	for i, view := range m.meta.Features.Views {
		f := s.look(view, sc.families)
		norm := sc.norm(f)
		for fam := range familyCount {
			if !sc.families.Has(fam) {
				continue
			}
			from, to := sc.span(f, fam)
			for _, key := range f.keys[from:to] {
				at := m.find(groupKey(key, viewSalt(i)))
				if at < 0 {
					continue
				}
				m.addRow(&s.steps, at)
				w := norm * sc.weight[fam] * float32(s.steps[target]) * m.scale[target]
				clear(s.steps[:m.k])
				if w != 0 {
					sum[key] = contribution{base: key, family: fam, weight: sum[key].weight + w}
				}
			}
		}
	}
	best := slices.SortedFunc(maps.Values(sum), stronger)
	return best[:min(limit, len(best))]
}

func stronger(a, b contribution) int {
	size := func(c contribution) float64 { return math.Abs(float64(c.weight)) }
	copied := func(c contribution) int {
		if c.copied {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(size(b), size(a)), cmp.Compare(a.base, b.base), cmp.Compare(copied(a), copied(b)))
}

// groupName is the name of a group's own copy of a feature.
func groupName(group, name string) string {
	if name == "" {
		return "[" + group + "]"
	}
	return "[" + group + "] " + name
}
