package learn

import (
	"cmp"
	"slices"
)

const topPerLabel = 12

// topFeatures finds the strongest features of every label and what they stand
// for in the rows.
func (t *training) topFeatures(q *weights) []LabelFeatures {
	type ranked struct {
		key    uint32
		weight float32
	}
	// Many labels: fewer each, so that the metadata stay small.
	n := min(topPerLabel, max(3, 600/q.k))
	top := make([][]ranked, q.k)
	wanted := map[uint32]string{}
	for o := range q.k {
		var all []ranked
		for i, key := range q.keys {
			if w := q.w[i*q.k+o]; w > 0 {
				all = append(all, ranked{key, w})
			}
		}
		slices.SortFunc(all, func(a, b ranked) int {
			return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.key, b.key))
		})
		top[o] = all[:min(n, len(all))]
		for _, r := range top[o] {
			wanted[r.key] = ""
		}
	}
	// Pass over the rows until every wanted key has shown what it stands for.
	missing := len(wanted)
	f := features{names: map[uint32]string{}}
	for i := range t.rows {
		if missing == 0 {
			break
		}
		clear(f.names)
		f.run(&t.rows[i].Document, t.settings.scaling.families)
		for key, name := range f.allNames(t.rows[i].Group, t.settings.scaling.grouped) {
			if was, ok := wanted[key]; ok && was == "" {
				wanted[key] = name
				missing--
			}
		}
	}
	out := make([]LabelFeatures, q.k)
	for o, rs := range top {
		out[o].Label = t.labels[o]
		out[o].Features = []FeatureWeight{}
		for _, r := range rs {
			out[o].Features = append(out[o].Features, FeatureWeight{wanted[r.key], round(float64(r.weight))})
		}
	}
	return out
}

// allNames gives every key of the text a name, the group's own copies too.
func (f *features) allNames(group string, grouped bool) map[uint32]string {
	if !grouped || f.group == 0 {
		return f.names
	}
	out := make(map[uint32]string, 2*len(f.names)+1)
	for key, name := range f.names {
		out[key] = name
		out[groupKey(key, f.group)] = groupName(group, name)
	}
	out[groupKey(0, f.group)] = groupName(group, "")
	return out
}
