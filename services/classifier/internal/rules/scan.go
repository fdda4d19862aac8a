package rules

import (
	"unicode"
	"unicode/utf8"
)

// maxWord is longer than any word of the tables.
const maxWord = 32

// maxMatches is more than all patterns together.
const maxMatches = 80

// scan is what one pass over a text finds.
type scan struct {
	found set
	// matches are the forms that brought a pattern, in the order of the text.
	matches [maxMatches]*match
	count   int
	// words is how many there are between white space.
	words int
}

// scan reads a text. It does not allocate.
func (v *vocabulary) scan(text string, s *scan) {
	var last *word                // the word before, if it is known
	sep, gap := otherSeparator, 0 // what came since, and how much
	inField := false
	for i := 0; i < len(text); {
		start, ascii := i, true
		for i < len(text) {
			if classes[text[i]] == letter {
				i++
				continue
			}
			if text[i] < utf8.RuneSelf {
				break
			}
			r, size := utf8.DecodeRuneInString(text[i:])
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
				break
			}
			i, ascii = i+size, false
		}
		if i > start {
			if !inField {
				inField = true
				s.words++
			}
			var w *word
			if ascii {
				w = v.find(text[start:i])
			}
			s.addWord(w, last, sep)
			last, sep, gap = w, otherSeparator, 0
			continue
		}
		isSpace, size := classes[text[i]] == white, 1
		if text[i] >= utf8.RuneSelf {
			var r rune
			r, size = utf8.DecodeRuneInString(text[i:])
			isSpace = unicode.IsSpace(r)
		}
		switch {
		case isSpace:
			inField = false
			sep = spaced(sep, gap)
		case text[i] == '-' && gap == 0:
			sep = hyphen
		default:
			sep = otherSeparator
		}
		if !isSpace && !inField {
			inField = true
			s.words++
		}
		i += size
		gap++
	}
}

// find returns a known word, whatever its case, or nil.
func (v *vocabulary) find(text string) *word {
	if len(text) < v.shortest || len(text) > v.longest {
		return nil
	}
	var buffer [maxWord]byte
	for i := range len(text) {
		buffer[i] = lower[text[i]]
	}
	return v.words[string(buffer[:len(text)])]
}

// addWord counts what a word matches, alone and with the one before it.
func (s *scan) addWord(w, last *word, sep separator) {
	if w == nil {
		return
	}
	if w.alone != nil {
		s.add(w.alone)
	}
	if last == nil {
		return
	}
	for i := range w.after {
		if p := &w.after[i]; p.first == last && p.sep == sep {
			s.add(p.match)
		}
	}
}

// spaced is the separator after one more white character: a space as long as
// there was nothing else.
func spaced(sep separator, gap int) separator {
	if gap == 0 {
		return space
	}
	if sep != space {
		return otherSeparator
	}
	return sep
}

// add counts a match if it brings a pattern that was not there.
func (s *scan) add(m *match) {
	if m.bits.types&^s.found.types == 0 && m.bits.complexity&^s.found.complexity == 0 {
		return
	}
	s.found.types |= m.bits.types
	s.found.complexity |= m.bits.complexity
	s.matches[s.count] = m
	s.count++
}

// class is what an ASCII character is.
type class uint8

const (
	other class = iota
	letter
	white
)

// classes and lower are tables by character. What belongs to a word is what
// regular expressions call \w.
var (
	classes = func() (table [256]class) {
		for c := range table {
			switch {
			case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_':
				table[c] = letter
			case c == ' ', c >= '\t' && c <= '\r':
				table[c] = white
			}
		}
		return table
	}()
	lower = func() (table [256]byte) {
		for c := range table {
			table[c] = byte(c)
			if c >= 'A' && c <= 'Z' {
				table[c] = byte(c) + 'a' - 'A'
			}
		}
		return table
	}()
)
