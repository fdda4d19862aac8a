package tokens

import (
	"unicode"
	"unicode/utf8"
)

// The splitters return the length of the first piece of a text that is not
// empty. They are tiktoken's regular expressions by hand; each case says which
// alternative it is.

// class is what the expressions tell apart.
type class uint8

const (
	other  class = iota
	upper        // \p{Lu}\p{Lt}
	lower        // \p{Ll}
	letter       // \p{Lm}\p{Lo}: upper and lower to o200k_base
	mark         // \p{M}: other to cl100k_base
	digit        // \p{N}
	space        // \s but for line breaks
	line         // \r\n
)

var ascii = func() (table [utf8.RuneSelf]class) {
	for c := range table {
		switch {
		case c >= 'A' && c <= 'Z':
			table[c] = upper
		case c >= 'a' && c <= 'z':
			table[c] = lower
		case c >= '0' && c <= '9':
			table[c] = digit
		case c == '\r' || c == '\n':
			table[c] = line
		case c == ' ' || c == '\t' || c == '\v' || c == '\f':
			table[c] = space
		}
	}
	return table
}()

// look returns the class of the character at a place, and its length; 0 at the
// end.
func look(text string, at int) (class, int) {
	if at >= len(text) {
		return other, 0
	}
	if c := text[at]; c < utf8.RuneSelf {
		return ascii[c], 1
	}
	r, n := utf8.DecodeRuneInString(text[at:])
	switch {
	case unicode.IsSpace(r):
		return space, n
	case unicode.In(r, unicode.Lu, unicode.Lt):
		return upper, n
	case unicode.Is(unicode.Ll, r):
		return lower, n
	case unicode.IsLetter(r):
		return letter, n
	case unicode.IsMark(r):
		return mark, n
	case unicode.IsNumber(r):
		return digit, n
	}
	return other, n
}

func (c class) isLetter() bool { return c >= upper && c <= letter }

// contraction is (?i:'s|'t|'re|'ve|'m|'ll|'d): its length, or 0.
func contraction(text string) int {
	if len(text) < 2 || text[0] != '\'' {
		return 0
	}
	switch text[1] | 0x20 {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v':
		if len(text) > 2 && text[2]|0x20 == 'e' {
			return 3
		}
	case 'l':
		if len(text) > 2 && text[2]|0x20 == 'l' {
			return 3
		}
	}
	const long = "\u017f" // the long s, which is an s where case does not count
	if len(text) > len(long) && text[1:1+len(long)] == long {
		return 1 + len(long)
	}
	return 0
}

func splitCL100K(text string) int {
	if n := contraction(text); n > 0 {
		return n
	}
	first, n := look(text, 0)
	// [^\r\n\p{L}\p{N}]?\p{L}+
	at := 0
	if !first.isLetter() && first != line && first != digit {
		at = n
	}
	if end := run(text, at, class.isLetter); end > at {
		return end
	}
	return rest(text, first, n, class.isOther, false)
}

// isOther is [^\s\p{L}\p{N}] of cl100k_base, where it is not at a letter.
func (c class) isOther() bool { return c == other || c == mark }

func splitO200K(text string) int {
	first, n := look(text, 0)
	leads := !first.isLetter() && first != line && first != digit
	// [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+
	if leads {
		if end := capitals(text, n); end > 0 {
			return end + contraction(text[end:])
		}
	}
	if end := capitals(text, 0); end > 0 {
		return end + contraction(text[end:])
	}
	// [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*, of
	// which nothing is lower here
	at := 0
	if leads {
		at = n
	}
	if end := run(text, at, class.isUpper); end > at {
		return end + contraction(text[end:])
	}
	return rest(text, first, n, class.isOther, true)
}

func (c class) isUpper() bool { return c == upper || c == letter || c == mark }
func (c class) isLower() bool { return c == lower || c == letter || c == mark }

// capitals is the end of U*L+, where U and L share some characters: L must have
// one, which U gives back where it has taken the last.
func capitals(text string, at int) int {
	back := -1 // behind the last that is both
	for {
		c, n := look(text, at)
		if n == 0 || !c.isUpper() {
			break
		}
		if at += n; c != upper {
			back = at
		}
	}
	if end := run(text, at, class.isLower); end > at {
		return end
	}
	return back
}

// run is the end of characters of one kind.
func run(text string, at int, is func(class) bool) int {
	for {
		c, n := look(text, at)
		if n == 0 || !is(c) {
			return at
		}
		at += n
	}
}

// rest is what begins with no word.
func rest(text string, first class, n int, is func(class) bool, slash bool) int {
	// \p{N}{1,3}
	if first == digit {
		for range 2 {
			c, size := look(text, n)
			if c != digit || size == 0 {
				break
			}
			n += size
		}
		return n
	}
	// ?[^\s\p{L}\p{N}]+[\r\n]*, with [\r\n/]* for o200k_base
	at := 0
	if text[0] == ' ' {
		at = 1
	}
	if end := run(text, at, is); end > at {
		for end < len(text) && (text[end] == '\r' || text[end] == '\n' || slash && text[end] == '/') {
			end++
		}
		return end
	}
	// \s*[\r\n]+ up to the last line break of the spaces, or \s+(?!\S) up to the
	// last but one where a word follows, or \s+
	at, before, broken := 0, 0, 0
	for {
		c, size := look(text, at)
		if size == 0 || c != space && c != line {
			break
		}
		before = at
		if at += size; c == line {
			broken = at
		}
	}
	switch {
	case broken > 0:
		return broken
	case at < len(text) && before > 0:
		return before
	case at > 0:
		return at
	}
	return n // of no class that an expression names
}
