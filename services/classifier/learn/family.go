package learn

import "strings"

// Family is a kind of feature. A head uses a set of them.
type Family uint8

// The families, in the order in which one pass over a text makes them.
const (
	// FamilyWord is single words, numbers and placeholders, wherever they are.
	FamilyWord Family = iota
	// FamilyBigram is pairs of neighbours.
	FamilyBigram
	// FamilyZone is words and pairs of the title and words of the head of the
	// body, kept apart from the same words elsewhere.
	FamilyZone
	// FamilyLine is whole short lines, and a line with the one before it:
	// what templates leave in a text.
	FamilyLine
	// FamilyCue is the cue lexicon and the shape of the text: length, digits,
	// question marks, blocks of code.
	FamilyCue
	// FamilyCode is words inside blocks of code.
	FamilyCode
	// FamilySkip is pairs of words with one word between them, and triples.
	FamilySkip
	// FamilyChar is pieces of words, 3 to 5 bytes with the spaces around.
	FamilyChar
	// FamilyMeasure is how much there is to work out: quantities, steps, options,
	// kinds of demand.
	FamilyMeasure

	familyCount
)

var familyNames = [familyCount]string{"word", "bigram", "zone", "line", "cue", "code", "skip", "char", "measure"}

// String returns the family's name, "family(9)" for an unknown one.
func (f Family) String() string {
	if f < familyCount {
		return familyNames[f]
	}
	return "family(" + string('0'+rune(f%10)) + ")"
}

// FamilySet is a set of families, one bit each.
type FamilySet uint16

func familySet(fs ...Family) FamilySet {
	var s FamilySet
	for _, f := range fs {
		s |= 1 << f
	}
	return s
}

// Has says whether f is in s.
func (s FamilySet) Has(f Family) bool { return s&(1<<f) != 0 }

// String returns the names, joined by commas.
func (s FamilySet) String() string {
	var names []string
	for f := range familyCount {
		if s.Has(f) {
			names = append(names, f.String())
		}
	}
	return strings.Join(names, ",")
}

// groupFamilies are the families of which a group keeps copies of its own.
const groupFamilies = FamilySet(1<<FamilyWord | 1<<FamilyBigram | 1<<FamilyZone | 1<<FamilyLine | 1<<FamilyCue)
