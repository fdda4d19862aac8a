package learn

import "math/bits"

// cues makes the signs of the lexicon: in the title, near the head, anywhere,
// how often, and as the first words.
func (f *features) cues() {
	ts := f.scan.tokens
	var seen [256]uint8
	for i := range ts {
		if ts[i].zone >= zoneCode {
			continue
		}
		h := ts[i].hash
		f.cue(cueOf(h), i, &seen)
		if i+1 < len(ts) && near(&ts[i], &ts[i+1]) {
			h = mix(h, ts[i+1].hash)
			f.cue(cueOf(h), i, &seen)
			if i+2 < len(ts) && near(&ts[i+1], &ts[i+2]) {
				f.cue(cueOf(mix(h, ts[i+2].hash)), i, &seen)
			}
		}
	}
	f.declared()
	for c := 1; c <= len(cueLexicon); c++ {
		n := min(bits.Len8(seen[c]), 4)
		for level := 1; level <= n; level++ {
			f.sign(uint64(c)<<8|uint64(level), "cue", c, level)
		}
	}
}

func (f *features) cue(c uint8, i int, seen *[256]uint8) {
	if c == 0 {
		return
	}
	if seen[c] < 255 {
		seen[c]++
	}
	t := &f.scan.tokens[i]
	switch t.zone {
	case zoneTitle:
		f.sign(1<<32|uint64(c), "title cue", int(c), 0)
	case zoneHead:
		f.sign(2<<32|uint64(c), "head cue", int(c), 0)
	}
	if i == 0 || f.scan.tokens[i-1].zone == zoneTitle && t.zone != zoneTitle {
		f.sign(3<<32|uint64(c), "first cue", int(c), 0)
	}
}

func (f *features) sign(h uint64, what string, c, level int) {
	k := featureKey(h, saltCue)
	f.add(k)
	if f.naming(k) {
		if level > 1 {
			f.name(k, "%s: %s ×%d", what, cueLexicon[c-1].name, 1<<(level-1))
		} else {
			f.name(k, "%s: %s", what, cueLexicon[c-1].name)
		}
	}
}

// The kinds that an author or a template may declare a text to be.
var (
	declaredKinds = [...]string{"bug", "feature", "question", "documentation", "performance", "build"}
	declaredWords = hashed(map[string]uint8{
		"bug": 1, "bugs": 1, "defect": 1, "crash": 1, "regression": 1, "bugfix": 1,
		"feature": 2, "feat": 2, "enhancement": 2, "proposal": 2, "suggestion": 2, "rfc": 2, "idea": 2,
		"question": 3, "questions": 3, "support": 3, "help": 3, "others": 3, "other": 3, "discussion": 3, "usage": 3,
		"documentation": 4, "docs": 4, "doc": 4,
		"performance": 5, "perf": 5,
		"build": 6, "install": 6, "installation": 6,
	})
	declaredTemplates = hashed(map[string]uint8{
		"bug_report_template": 1, "bug_template": 1, "bug_report": 1, "feature_request_template": 2, "feature_template": 2, "feature_request": 2,
		"question_template": 3, "support_template": 3, "documentation_template": 4, "docs_template": 4, "performance_template": 5, "build_template": 6,
	})
	hashType = hashBytes("type")
)

func hashed(words map[string]uint8) map[uint64]uint8 {
	out := make(map[uint64]uint8, len(words))
	for w, kind := range words {
		out[hashBytes(w)] = kind
	}
	return out
}

// declared makes signs of what a text says that it is: the first words of its
// title, a field named type, the name of a template.
func (f *features) declared() {
	ts := f.scan.tokens
	const within = 4
	for i := range ts {
		switch {
		case ts[i].zone == zoneTitle && i < 2:
			f.declare(1, declaredWords[ts[i].hash])
		case ts[i].zone == zoneCode:
		case ts[i].hash == hashType:
			for j := i + 1; j < len(ts) && j <= i+within && ts[j].line <= ts[i].line+3; j++ {
				if kind := declaredWords[ts[j].hash]; kind != 0 {
					f.declare(2, kind)
					break
				}
			}
		case ts[i].end-ts[i].start >= 10:
			f.declare(3, declaredTemplates[ts[i].hash])
		}
	}
}

func (f *features) declare(where uint64, kind uint8) {
	if kind == 0 {
		return
	}
	for _, h := range []uint64{5<<32 | uint64(kind), 6<<32 | where<<8 | uint64(kind)} {
		k := featureKey(h, saltCue)
		f.add(k)
		if f.naming(k) {
			f.name(k, "declares: %s", declaredKinds[kind-1])
		}
	}
}

// shape makes features of how the text looks. Numbers become the steps that
// they reach, so that a linear model can bend.
func (f *features) shape() {
	s := &f.scan
	f.steps(0, "length", s.bytes, 1)
	f.steps(1, "words", len(s.tokens), 1)
	f.steps(2, "digits", s.digits, 0)
	f.steps(3, "capitals per mille", s.upper*1000/max(s.letters, 1), 3)
	f.steps(4, "blocks of code", s.fences, 0)
	f.steps(5, "links", s.links, 0)
	f.steps(6, "paths", s.paths, 0)
	f.steps(7, "inline code", s.codes, 0)
	f.steps(8, "question marks", s.questions, 0)
	f.steps(9, "exclamation marks", s.exclamations, 0)
	f.steps(10, "identifiers", s.identifiers, 0)
	f.steps(11, "lines", int(s.line), 0)
	f.steps(12, "checked boxes", s.checked, 0)
	f.steps(13, "unchecked boxes", s.unchecked, 0)
	f.steps(14, "letters beyond ASCII", s.nonASCII, 0)
	f.steps(15, "mean word length ×4", s.letters*4/max(len(s.tokens), 1), 3)
	f.steps(16, "digits per mille", s.digits*1000/max(s.bytes, 1), 2)
	if s.endsAsking {
		k := featureKey(1<<40, saltCue)
		f.add(k)
		if f.naming(k) {
			f.name(k, "ends in a question mark")
		}
	}
}

// steps makes one feature for each half power of two that n reaches, from
// 2^from on.
func (f *features) steps(id uint64, what string, n, from int) {
	if n <= 0 {
		return
	}
	level := 2 * (bits.Len(uint(n)) - 1)
	if n > 1 && n&(1<<(level/2-1)) != 0 {
		level++
	}
	for l := 2 * from; l <= min(level, 30); l++ {
		k := featureKey(1<<48|id<<8|uint64(l), saltCue)
		f.add(k)
		if f.naming(k) {
			least := 1 << (l / 2)
			if l&1 == 1 {
				least += least / 2
			}
			f.name(k, "%s ≥ %d", what, least)
		}
	}
}
