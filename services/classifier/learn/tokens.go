package learn

import (
	"unicode"
	"unicode/utf8"
)

// opening handles what has a meaning at the start of a line. It returns how
// many bytes it took, 0 for none.
func (s *scan) opening(t string, zone uint8) int {
	switch t[0] {
	case '`', '~':
		if len(t) >= 3 && t[1] == t[0] && t[2] == t[0] {
			return s.block(t, zone)
		}
	case '#':
		n := 1
		for n < len(t) && t[n] == '#' {
			n++
		}
		if n <= 6 && n < len(t) && t[n] == ' ' {
			s.put(hashHeading, "#", zone)
			return n
		}
	case '-', '*', '+':
		if len(t) >= 5 && t[1] == ' ' && t[2] == '[' && t[4] == ']' {
			if t[3] == ' ' {
				s.unchecked++
				s.put(hashUnchecked, "<unchecked>", zone)
			} else {
				s.checked++
				s.put(hashChecked, "<checked>", zone)
			}
			return 5
		}
	}
	return 0
}

// block takes a fenced block: one placeholder, and its words in a zone of
// their own.
func (s *scan) block(t string, zone uint8) int {
	fence := t[:3]
	s.fences++
	s.put(hashBlock, "<block>", zone)
	i := 3
	atStart := false
	for i < len(t) {
		c := t[i]
		if c == '\n' {
			s.line++
			atStart = true
			i++
			continue
		}
		class := byteClass[c]
		if class == classSpace {
			i++
			continue
		}
		if atStart && i+3 <= len(t) && t[i:i+3] == fence {
			return i + 3
		}
		atStart = false
		if len(s.tokens) >= maxTokens {
			return len(t)
		}
		switch class {
		case classLetter, classUpper, classWide:
			i += s.word(t[i:], zoneCode)
		default:
			i++
		}
	}
	return i
}

// chunk replaces an address, a path or a mention by a placeholder.
func (s *scan) chunk(t string, zone uint8) int {
	lead := 0
	for lead < len(t) && byteClass[t[lead]] == classOther && t[lead] != '/' && t[lead] != '.' && t[lead] != '@' && t[lead] != '\\' && t[lead] != '~' {
		lead++
	}
	if lead == len(t) {
		return 0
	}
	if lead > 0 {
		image := t[0] == '!' && len(t) > 1 && t[1] == '['
		if !image {
			if n := s.chunk(t[lead:], zone); n > 0 {
				return lead + n
			}
			return 0
		}
	}
	for j := 0; j+3 < len(t); j++ {
		if t[j] == ':' && t[j+1] == '/' && t[j+2] == '/' {
			if lead > 0 || (j > 6 && t[0] != 'h') {
				s.put(hashImage, "<image>", zone)
			} else {
				s.put(hashURL, "<url>", zone)
			}
			s.links++
			return len(t)
		}
	}
	if lead > 0 {
		return 0
	}
	if t[0] == '@' && len(t) > 2 {
		s.put(hashMention, "<mention>", zone)
		return len(t)
	}
	slashes, dots := 0, 0
	for j := 0; j < len(t); j++ {
		switch t[j] {
		case '/', '\\':
			slashes++
		case '.':
			dots++
		}
	}
	if slashes >= 2 || slashes == 1 && (dots > 0 || t[0] == '/' || t[0] == '~') && len(t) > 3 {
		s.paths++
		s.put(hashPath, "<path>", zone)
		return len(t)
	}
	return 0
}

// put appends a placeholder.
func (s *scan) put(hash uint64, text string, zone uint8) {
	start := int32(len(s.norm))
	s.norm = append(s.norm, text...)
	end := int32(len(s.norm))
	s.norm = append(s.norm, ' ')
	s.tokens = append(s.tokens, token{hash: hash, start: start, end: end, line: s.line, zone: zone})
	if zone == zoneHead || zone == zoneBody {
		s.words++
	}
}

// word appends a word: letters, digits, underscores and inner apostrophes.
func (s *scan) word(t string, zone uint8) int {
	start := int32(len(s.norm))
	h := uint64(hashSeed)
	i, mixed, seenLower := 0, false, false
loop:
	for i < len(t) && i < maxWord {
		c := t[i]
		switch byteClass[c] {
		case classLetter:
			seenLower = c != '_'
			mixed = mixed || c == '_'
		case classUpper:
			mixed = mixed || seenLower
			s.upper++
			c |= 0x20
		case classDigit:
			s.digits++
		case classWide:
			r, n := utf8.DecodeRuneInString(t[i:])
			if r == utf8.RuneError || !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) {
				if r == '’' && i > 0 && i+n < len(t) && byteClass[t[i+n]] == classLetter {
					c = '\''
					i += n - 1
					break
				}
				if i == 0 {
					i = n
				}
				break loop
			}
			s.nonASCII++
			if r >= 0x2e80 { // no spaces between words: one rune is a word
				if i > 0 {
					break loop
				}
				s.norm = append(s.norm, t[:n]...)
				for _, b := range []byte(t[:n]) {
					h = (h ^ uint64(b)) * hashPrime
				}
				i = n
				break loop
			}
			at := len(s.norm)
			s.norm = utf8.AppendRune(s.norm, unicode.ToLower(r))
			for _, b := range s.norm[at:] {
				h = (h ^ uint64(b)) * hashPrime
			}
			i += n
			continue
		default:
			if c != '\'' || i == 0 || i+1 >= len(t) || byteClass[t[i+1]] != classLetter {
				break loop
			}
		}
		s.norm = append(s.norm, c)
		h = (h ^ uint64(c)) * hashPrime
		i++
	}
	end := int32(len(s.norm))
	if end == start { // a wide rune that is no letter
		return i
	}
	s.letters += int(end - start)
	if mixed {
		s.identifiers++
	}
	s.norm = append(s.norm, ' ')
	s.tokens = append(s.tokens, token{hash: h, start: start, end: end, line: s.line, zone: zone, plain: true})
	if zone == zoneHead || zone == zoneBody {
		s.words++
	}
	return i
}

// number appends one placeholder for a number, a version or a hexadecimal
// string; small whole numbers stand for themselves.
func (s *scan) number(t string, zone uint8) int {
	i, dots, letters := 0, 0, 0
	for i < len(t) && i < maxWord {
		switch byteClass[t[i]] {
		case classDigit:
			s.digits++
		case classLetter, classUpper:
			letters++
		default:
			if (t[i] == '.' || t[i] == ',') && i+1 < len(t) && byteClass[t[i+1]] == classDigit {
				dots++
				i++
				continue
			}
			goto done
		}
		i++
	}
done:
	switch {
	case i <= 2 && letters == 0 || letters > 0 && i <= 5:
		h := uint64(hashSeed)
		start := int32(len(s.norm))
		for j := 0; j < i; j++ {
			c := t[j]
			if byteClass[c] == classUpper {
				c |= 0x20
			}
			s.norm = append(s.norm, c)
			h = (h ^ uint64(c)) * hashPrime
		}
		end := int32(len(s.norm))
		s.norm = append(s.norm, ' ')
		s.tokens = append(s.tokens, token{hash: h, start: start, end: end, line: s.line, zone: zone})
		if zone == zoneHead || zone == zoneBody {
			s.words++
		}
	case letters > 0:
		s.put(hashHex, "<hex>", zone)
	case dots > 1:
		s.put(hashVersion, "<version>", zone)
	default:
		s.put(hashNumber, "<number>", zone)
	}
	return i
}

// punctuation handles what is neither a word nor a number.
func (s *scan) punctuation(t string, zone uint8) int {
	switch t[0] {
	case '?':
		s.questions++
		s.put(hashQuestion, "?", zone)
	case '!':
		s.exclamations++
		s.put(hashExclaim, "!", zone)
	case '#':
		if len(t) > 1 && byteClass[t[1]] == classDigit {
			n := 1
			for n < len(t) && byteClass[t[n]] == classDigit {
				n++
			}
			s.put(hashReference, "<reference>", zone)
			return n
		}
	case '`':
		for n := 1; n < len(t) && n < 200 && t[n] != '\n'; n++ {
			if t[n] == '`' && n > 1 {
				s.codes++
				s.put(hashCode, "<code>", zone)
				return n + 1
			}
		}
	}
	return 1
}
