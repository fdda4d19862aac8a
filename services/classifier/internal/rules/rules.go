package rules

import (
	"math/bits"
	"strconv"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
)

// The figures of the rules.
const (
	oneTypeConfidence  = 0.95
	manyTypesMost      = 0.85
	unmatchedConfident = 0.3

	simpleBelow  = 20
	complexAbove = 100

	// The weight of a word that speaks for a type or a complexity, and of the
	// mere number of words.
	wordWeight  = 1
	countWeight = 0.5
)

// Verdict is what the rules say.
type Verdict struct {
	Type       classifierv1.TaskType
	Complexity classifierv1.Complexity
	// Confidence is 0.3 to 0.95.
	Confidence float64
	// Reason is for people.
	Reason string
	// Evidence is every matched form: those of the type first, then those of
	// other types, then what decided the complexity; in the order of the text
	// within each.
	Evidence []*classifierv1.Evidence
}

// Classifier applies the rules. It is safe for concurrent use.
type Classifier struct{ words *vocabulary }

// New returns a classifier.
func New() *Classifier { return &Classifier{words: newVocabulary()} }

// Classify applies the rules to a text.
func (c *Classifier) Classify(text string) Verdict {
	var s scan
	c.words.scan(text, &s)
	best, top, total, matched := -1, 0, 0, 0
	for t := range types {
		n := bits.OnesCount64(s.found.types & typeBits(t))
		total += n
		if n > 0 {
			matched++
		}
		if n > top {
			best, top = t, n
		}
	}
	v := Verdict{Type: unmatched, Confidence: unmatchedConfident}
	switch {
	case matched == 1:
		v.Type, v.Confidence = types[best].is, oneTypeConfidence
	case matched > 1:
		v.Type, v.Confidence = types[best].is, min(manyTypesMost, float64(top)/float64(total))
	}
	deciding := s.complexity(&v)
	v.Evidence = s.evidence(best, deciding, v.Complexity)
	v.Reason = s.reason(best, top, total, deciding, v.Complexity)
	return v
}

// typeBits are the patterns of a type.
func typeBits(t int) uint64 { return (1<<patternsPerType - 1) << (t * patternsPerType) }

// complexBits and simpleBits are the patterns of complexity.
var (
	complexBits uint64 = 1<<len(complexWords) - 1
	simpleBits  uint64 = (1<<len(simpleWords) - 1) << len(complexWords)
)

// complexity sets the complexity and returns the patterns that decided it, 0
// when the number of words did.
func (s *scan) complexity(v *Verdict) uint64 {
	switch {
	case s.found.complexity&complexBits != 0:
		v.Complexity = classifierv1.Complexity_COMPLEXITY_COMPLEX
		return complexBits
	case s.found.complexity&simpleBits != 0:
		v.Complexity = classifierv1.Complexity_COMPLEXITY_SIMPLE
		return simpleBits
	case s.words < simpleBelow:
		v.Complexity = classifierv1.Complexity_COMPLEXITY_SIMPLE
	case s.words > complexAbove:
		v.Complexity = classifierv1.Complexity_COMPLEXITY_COMPLEX
	default:
		v.Complexity = classifierv1.Complexity_COMPLEXITY_MEDIUM
	}
	return 0
}

func (s *scan) evidence(best int, deciding uint64, complexity classifierv1.Complexity) []*classifierv1.Evidence {
	if s.count == 0 && deciding != 0 {
		return nil
	}
	// A form may speak for a type and for a complexity: twice as many at most,
	// and one for the number of words. All in one piece of memory.
	room := 2*s.count + 1
	entries, list := make([]classifierv1.Evidence, room), make([]*classifierv1.Evidence, 0, room)
	add := func(feature, label string, weight float64) {
		e := &entries[len(list)]
		e.Feature, e.Label, e.Weight = feature, label, weight
		list = append(list, e)
	}
	for _, m := range s.matches[:s.count] {
		if best >= 0 && m.bits.types&typeBits(best) != 0 {
			add(m.form, types[best].name, wordWeight)
		}
	}
	for _, m := range s.matches[:s.count] {
		if t := typeOf(m); t >= 0 && t != best {
			add(m.form, types[t].name, wordWeight)
		}
	}
	for _, m := range s.matches[:s.count] {
		if m.bits.complexity&deciding != 0 {
			add(m.form, complexityName(complexity), wordWeight)
		}
	}
	if deciding == 0 {
		add(strconv.Itoa(s.words)+" words", complexityName(complexity), countWeight)
	}
	return list
}

// typeOf returns the type that a form speaks for, -1 for none. The tables give
// a form to one type alone.
func typeOf(m *match) int {
	if m.bits.types == 0 {
		return -1
	}
	return bits.TrailingZeros64(m.bits.types) / patternsPerType
}

// reason is like "bug_fix: 2 of 3 matched words (fix, crash); simple: 12 words".
func (s *scan) reason(best, top, total int, deciding uint64, complexity classifierv1.Complexity) string {
	text := make([]byte, 0, 128)
	if best < 0 {
		text = append(text, "feature: no word of any type matched"...)
	} else {
		text = append(text, types[best].name...)
		text = append(text, ": "...)
		text = strconv.AppendInt(text, int64(top), 10)
		text = append(text, " of "...)
		text = strconv.AppendInt(text, int64(total), 10)
		text = append(text, " matched words ("...)
		text = s.appendForms(text, func(m *match) bool { return m.bits.types&typeBits(best) != 0 })
		text = append(text, ')')
	}
	text = append(text, "; "...)
	text = append(text, complexityName(complexity)...)
	text = append(text, ": "...)
	if deciding != 0 {
		text = s.appendForms(text, func(m *match) bool { return m.bits.complexity&deciding != 0 })
	} else {
		text = strconv.AppendInt(text, int64(s.words), 10)
		text = append(text, " words"...)
	}
	return string(text)
}

func (s *scan) appendForms(text []byte, wanted func(*match) bool) []byte {
	first := true
	for _, m := range s.matches[:s.count] {
		if !wanted(m) {
			continue
		}
		if !first {
			text = append(text, ", "...)
		}
		text, first = append(text, m.form...), false
	}
	return text
}

func complexityName(c classifierv1.Complexity) string {
	switch c {
	case classifierv1.Complexity_COMPLEXITY_SIMPLE:
		return "simple"
	case classifierv1.Complexity_COMPLEXITY_MEDIUM:
		return "medium"
	}
	return "complex"
}
