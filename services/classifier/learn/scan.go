package learn

import (
	"strings"
	"unicode/utf8"
)

// Bounds of what is looked at. A longer body is cut to its head and its tail.
const (
	maxTitle    = 400
	maxBody     = 3600
	bodyHead    = 2800
	bodyTail    = 600
	maxWord     = 48
	headWords   = 40
	maxLineWord = 14
	maxTokens   = 4096
)

// Document is one text to classify.
type Document struct {
	// Title is the headline where the text has one.
	Title string
	// Text is the body. Of more than 3,600 bytes the first 2,800 and the last
	// 600 are looked at.
	Text string
	// Group is the repository, tenant or the like that the text belongs to;
	// empty where there is none.
	Group string
}

// The zones. Words of the last two are no words of the author's prose.
const (
	zoneTitle = iota
	zoneHead
	zoneBody
	zoneCode
	zoneTemplate
)

// token is a word or a placeholder.
type token struct {
	hash       uint64
	start, end int32 // in scan.norm
	line       int32
	zone       uint8
	plain      bool // a word, not a placeholder: has pieces
}

// scan is one text taken apart. Its slices are reused.
type scan struct {
	norm   []byte // the words, lowered, with one space around each
	tokens []token
	line   int32
	words  int // in the body so far

	// What the text looks like.
	bytes, letters, digits, upper int
	fences, links, paths, codes   int
	questions, exclamations       int
	checked, unchecked            int
	identifiers, nonASCII         int
	endsAsking                    bool // the title, or a text without one, ends in '?'
}

func (s *scan) reset() {
	*s = scan{norm: append(s.norm[:0], ' '), tokens: s.tokens[:0]}
}

// The hashes of placeholders.
var (
	hashURL       = hashBytes("<url>")
	hashPath      = hashBytes("<path>")
	hashCode      = hashBytes("<code>")
	hashBlock     = hashBytes("<block>")
	hashNumber    = hashBytes("<number>")
	hashVersion   = hashBytes("<version>")
	hashReference = hashBytes("<reference>")
	hashMention   = hashBytes("<mention>")
	hashImage     = hashBytes("<image>")
	hashHex       = hashBytes("<hex>")
	hashChecked   = hashBytes("<checked>")
	hashUnchecked = hashBytes("<unchecked>")
	hashQuestion  = hashBytes("?")
	hashExclaim   = hashBytes("!")
	hashHeading   = hashBytes("#")
)

// run takes a document apart.
func (s *scan) run(d *Document) {
	s.reset()
	title := cut(d.Title, maxTitle)
	s.bytes = len(d.Title) + len(d.Text)
	if title != "" {
		s.text(title, zoneTitle)
		s.endsAsking = endsInQuestion(title)
		s.line += 2
	}
	if len(d.Text) <= maxBody {
		s.text(d.Text, zoneHead)
	} else {
		s.text(cut(d.Text, bodyHead), zoneHead)
		s.line += 2
		tail := d.Text[len(d.Text)-bodyTail:]
		for len(tail) > 0 && !utf8.RuneStart(tail[0]) {
			tail = tail[1:]
		}
		s.text(tail, zoneHead)
	}
	if title == "" {
		s.endsAsking = endsInQuestion(d.Text)
	}
}

// cut returns at most n bytes of s, whole runes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func endsInQuestion(s string) bool {
	for i := len(s) - 1; i >= 0 && len(s)-i < 8; i-- {
		if s[i] > ' ' {
			return s[i] == '?'
		}
	}
	return false
}

const (
	classSpace = iota
	classLetter
	classUpper
	classDigit
	classWide  // first byte of a longer rune
	classOther // punctuation
)

var byteClass = classes()

func classes() (t [256]uint8) {
	for i := range t {
		switch {
		case i <= ' ' || i == 0x7f:
			t[i] = classSpace
		case i >= 'a' && i <= 'z', i == '_':
			t[i] = classLetter
		case i >= 'A' && i <= 'Z':
			t[i] = classUpper
		case i >= '0' && i <= '9':
			t[i] = classDigit
		case i >= 0x80:
			t[i] = classWide
		default:
			t[i] = classOther
		}
	}
	return t
}

// text takes one part apart. zone is zoneTitle or zoneHead; the latter becomes
// zoneBody after headWords words, and zoneTemplate on lines of a template.
func (s *scan) text(t string, zone uint8) {
	lineStart := true
	chunkEnd := 0
	for i := 0; i < len(t); {
		c := t[i]
		if c == '\n' {
			s.line++
			lineStart = true
			i++
			continue
		}
		class := byteClass[c]
		if class == classSpace {
			i++
			continue
		}
		if len(s.tokens) >= maxTokens {
			return
		}
		if zone == zoneHead && s.words >= headWords {
			zone = zoneBody
		}
		if lineStart {
			lineStart = false
			if zone >= zoneHead {
				zone = zoneHead
				if s.words >= headWords {
					zone = zoneBody
				}
				if isTemplate(t[i:]) {
					zone = zoneTemplate
				}
			}
			if n := s.opening(t[i:], zone); n > 0 {
				i += n
				chunkEnd = 0
				continue
			}
		}
		if i >= chunkEnd {
			end := i + 1
			special := c == '/' || c == '\\' || c == ':' || c == '@'
			for end < len(t) && byteClass[t[end]] != classSpace && t[end] != '`' {
				b := t[end]
				special = special || b == '/' || b == '\\' || b == ':' || b == '@'
				end++
			}
			chunkEnd = end
			if special {
				if n := s.chunk(t[i:end], zone); n > 0 {
					i += n
					continue
				}
			}
		}
		switch class {
		case classLetter, classUpper, classWide:
			i += s.word(t[i:], zone)
		case classDigit:
			i += s.number(t[i:], zone)
		default:
			i += s.punctuation(t[i:], zone)
		}
	}
	s.line++
}

// isTemplate says that the line that t begins with looks like a template's:
// a heading, a line all in bold, a comment, or a remark in italics.
func isTemplate(t string) bool {
	end := strings.IndexByte(t, '\n')
	if end < 0 {
		end = len(t)
	}
	t = strings.TrimRight(t[:end], " \r\t:")
	switch {
	case len(t) < 3:
		return false
	case t[0] == '#':
		return t[1] == '#' || t[1] == ' '
	case t[0] == '<':
		return t[1] == '!' || t[1] == '/' || t[len(t)-1] == '>'
	case t[0] == '*' && t[1] == '*':
		return strings.HasSuffix(t, "**")
	case t[0] == '_':
		return t[len(t)-1] == '_'
	}
	return false
}
