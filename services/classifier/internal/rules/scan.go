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
	var buffer [maxWord]byte // the word being read, in lower case
	length := 0              // of the word, also where it is longer than the buffer
	ascii := true            // the word is
	var last *word           // the word before, if it is known
	sep := otherSeparator    // since then
	gap := 0                 // characters since then
	inField := false

	end := func() {
		var w *word
		if ascii && length >= v.shortest && length <= v.longest {
			w = v.words[string(buffer[:length])]
		}
		if w != nil {
			if w.alone != nil {
				s.add(w.alone)
			}
			if last != nil {
				for i := range w.after {
					if p := &w.after[i]; p.first == last && p.sep == sep {
						s.add(p.match)
					}
				}
			}
		}
		last, length, ascii, sep, gap = w, 0, true, otherSeparator, 0
	}

	for i := 0; i < len(text); {
		c := text[i]
		if class := classes[c]; c < utf8.RuneSelf {
			i++
			if class == letter {
				if length < maxWord {
					buffer[length] = lower[c]
				}
				length++
				if !inField {
					inField = true
					s.words++
				}
				continue
			}
			if length > 0 {
				end()
			}
			switch {
			case class == white:
				inField = false
				sep = spaced(sep, gap)
			case c == '-':
				if sep = otherSeparator; gap == 0 {
					sep = hyphen
				}
			default:
				sep = otherSeparator
			}
			gap++
			if class != white && !inField {
				inField = true
				s.words++
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		i += size
		white := unicode.IsSpace(r)
		if !white && !inField {
			inField = true
			s.words++
		}
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
			length++
			ascii = false
			continue
		}
		if length > 0 {
			end()
		}
		if white {
			inField = false
			sep = spaced(sep, gap)
		} else {
			sep = otherSeparator
		}
		gap++
	}
	if length > 0 {
		end()
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
