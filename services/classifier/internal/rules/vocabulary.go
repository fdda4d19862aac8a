package rules

import "strings"

// separator is what stands between two words.
type separator uint8

const (
	otherSeparator separator = iota
	space
	hyphen
)

// Where the patterns stand in a set: ten bits for each type, then the words of
// complexity in a set of their own.
const patternsPerType = 10

// set is patterns that were matched: those of types in one word, those of
// complexity in the other, complex ones first.
type set struct{ types, complexity uint64 }

// match is one form and what it stands for.
type match struct {
	form string
	bits set
}

// word is a word that is a form or part of one.
type word struct {
	// alone is the match of the word by itself; nil if it is none.
	alone *match
	// after are the phrases that end with the word.
	after []phrase
}

// phrase is a form of two words.
type phrase struct {
	first *word
	sep   separator
	match *match
}

// vocabulary is every word of the tables, in lower case.
type vocabulary struct {
	words             map[string]*word
	shortest, longest int
}

// newVocabulary reads the tables.
func newVocabulary() *vocabulary {
	v := &vocabulary{words: map[string]*word{}, shortest: maxWord}
	for t := range types {
		for p, forms := range types[t].patterns {
			for _, form := range forms {
				v.add(form).types |= 1 << (t*patternsPerType + p)
			}
		}
	}
	for p, forms := range append(append([]pattern{}, complexWords...), simpleWords...) {
		for _, form := range forms {
			v.add(form).complexity |= 1 << p
		}
	}
	return v
}

// add returns the set of a form, to which the caller adds.
func (v *vocabulary) add(form string) *set {
	at := strings.IndexAny(form, " -")
	if at < 0 {
		w := v.word(form)
		if w.alone == nil {
			w.alone = &match{form: form}
		}
		return &w.alone.bits
	}
	first, last, sep := v.word(form[:at]), v.word(form[at+1:]), space
	if form[at] == '-' {
		sep = hyphen
	}
	for _, known := range last.after {
		if known.first == first && known.sep == sep {
			return &known.match.bits
		}
	}
	m := &match{form: form}
	last.after = append(last.after, phrase{first: first, sep: sep, match: m})
	return &m.bits
}

func (v *vocabulary) word(text string) *word {
	w := v.words[text]
	if w == nil {
		w = &word{}
		v.words[text] = w
		v.shortest, v.longest = min(v.shortest, len(text)), max(v.longest, len(text))
	}
	return w
}
