package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// parser validates JSON by offset. Its methods take the offset at which something starts and return the offset behind
// it, or -1 after having noted what is wrong. It builds no error value until it is asked, so that it stays on the stack.
type parser struct {
	b        []byte
	maxDepth int
	sure     bool // the text was validated before: of a string only the end is looked for

	cause  error
	offset int
	detail string
}

func (p *parser) fail(offset int, detail string) int {
	p.cause, p.offset, p.detail = ErrSyntax, offset, detail
	return -1
}

func (p *parser) err() *Error {
	return &Error{Cause: p.cause, Offset: p.offset, Detail: p.detail}
}

// unexpected notes a byte that cannot stand at i, or the end of the text.
func (p *parser) unexpected(i int, want string) int {
	if i >= len(p.b) {
		return p.fail(len(p.b), "unexpected end, want "+want)
	}
	return p.fail(i, "want "+want)
}

func (p *parser) space(i int) int {
	for i < len(p.b) {
		if c := p.b[i]; c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			break
		}
		i++
	}
	return i
}

// value validates the value at i, which must not be space. depth is the number of values that enclose it.
func (p *parser) value(i, depth int) (int, Kind) {
	if i >= len(p.b) {
		return p.unexpected(i, "a value"), Absent
	}
	switch c := p.b[i]; c {
	case '"':
		if p.sure {
			return p.past(i), String
		}
		end, _ := p.str(i)
		return end, String
	case '{':
		return p.object(i, depth+1), Object
	case '[':
		return p.array(i, depth+1), Array
	case 't':
		return p.literal(i, "true"), True
	case 'f':
		return p.literal(i, "false"), False
	case 'n':
		return p.literal(i, "null"), Null
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return p.number(i), Number
		}
		return p.unexpected(i, "a value"), Absent
	}
}

func (p *parser) tooDeep(i, depth int) bool {
	if depth <= p.maxDepth {
		return false
	}
	p.cause, p.offset, p.detail = ErrDepth, i, ""
	return true
}

func (p *parser) object(i, depth int) int {
	if p.tooDeep(i, depth) {
		return -1
	}
	i = p.space(i + 1)
	if i < len(p.b) && p.b[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(p.b) || p.b[i] != '"' {
			return p.unexpected(i, "a member name in quotes")
		}
		if i, _ = p.str(i); i < 0 {
			return -1
		}
		if i = p.colon(i); i < 0 {
			return -1
		}
		if i, _ = p.value(i, depth); i < 0 {
			return -1
		}
		i = p.space(i)
		if i >= len(p.b) {
			return p.unexpected(i, "',' or '}'")
		}
		switch p.b[i] {
		case ',':
			i = p.space(i + 1)
		case '}':
			return i + 1
		default:
			return p.unexpected(i, "',' or '}'")
		}
	}
}

// colon passes over the colon behind a key, and the space around it.
func (p *parser) colon(i int) int {
	i = p.space(i)
	if i >= len(p.b) || p.b[i] != ':' {
		return p.unexpected(i, "':'")
	}
	return p.space(i + 1)
}

func (p *parser) array(i, depth int) int {
	if p.tooDeep(i, depth) {
		return -1
	}
	i = p.space(i + 1)
	if i < len(p.b) && p.b[i] == ']' {
		return i + 1
	}
	for {
		if i, _ = p.value(i, depth); i < 0 {
			return -1
		}
		i = p.space(i)
		if i >= len(p.b) {
			return p.unexpected(i, "',' or ']'")
		}
		switch p.b[i] {
		case ',':
			i = p.space(i + 1)
		case ']':
			return i + 1
		default:
			return p.unexpected(i, "',' or ']'")
		}
	}
}

func (p *parser) literal(i int, word string) int {
	if len(p.b)-i < len(word) || string(p.b[i:i+len(word)]) != word {
		return p.fail(i, "want "+word)
	}
	return i + len(word)
}

func (p *parser) number(i int) int {
	if p.b[i] == '-' {
		i++
	}
	switch {
	case i < len(p.b) && p.b[i] == '0':
		i++
	default:
		if i = p.digits(i); i < 0 {
			return -1
		}
	}
	if i < len(p.b) && p.b[i] == '.' {
		if i = p.digits(i + 1); i < 0 {
			return -1
		}
	}
	if i < len(p.b) && p.b[i]|0x20 == 'e' {
		i++
		if i < len(p.b) && (p.b[i] == '+' || p.b[i] == '-') {
			i++
		}
		i = p.digits(i)
	}
	return i
}

func (p *parser) digits(i int) int {
	start := i
	for i < len(p.b) && '0' <= p.b[i] && p.b[i] <= '9' {
		i++
	}
	if i == start {
		return p.unexpected(i, "a digit")
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// str validates the string whose opening quote is at i and tells whether it holds escapes. Eight bytes are looked at
// together: a byte is of interest when it is a quote, a backslash, a control character or not ASCII. Borrows in the
// subtractions can only mark bytes above a truly interesting one, and the lowest mark is the one used.
func (p *parser) str(i int) (end int, escaped bool) {
	b := p.b
	open := i
	i++
	for {
		for len(b)-i >= 8 {
			x := binary.LittleEndian.Uint64(b[i:])
			m := ((x - ones*0x20) | ((x ^ ones*'"') - ones) | ((x ^ ones*'\\') - ones) | x) & highs
			if m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		if i >= len(b) {
			return p.fail(len(b), "unexpected end in a string"), false
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			escaped = true
			if i = p.escape(i); i < 0 {
				return -1, false
			}
		case c < 0x20:
			return p.fail(i, "control character in a string"), false
		case c >= utf8.RuneSelf:
			for i < len(b) && b[i] >= utf8.RuneSelf {
				r, n := utf8.DecodeRune(b[i:])
				if r == utf8.RuneError && n == 1 {
					return p.fail(i, "invalid UTF-8 in the string that starts at byte "+strconv.Itoa(open)), false
				}
				i += n
			}
		default:
			i++ // Only in the last seven bytes of the text.
		}
	}
}

// past finds the end of a validated string: a quote that no backslash, or an even number of them, stands before.
func (p *parser) past(i int) int {
	for from := i + 1; ; {
		n := bytes.IndexByte(p.b[from:], '"')
		if n < 0 {
			return p.fail(len(p.b), "unexpected end in a string")
		}
		quote := from + n
		text := quote
		for text > from && p.b[text-1] == '\\' {
			text--
		}
		if (quote-text)&1 == 0 {
			return quote + 1
		}
		from = quote + 1
	}
}

func (p *parser) escape(i int) int {
	if i+1 >= len(p.b) {
		return p.fail(len(p.b), "unexpected end in a string")
	}
	switch p.b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		for j := i + 2; j < i+6; j++ {
			if j >= len(p.b) {
				return p.fail(len(p.b), "unexpected end in a string")
			}
			if hex(p.b[j]) < 0 {
				return p.fail(j, "want a hexadecimal digit")
			}
		}
		return i + 6
	default:
		return p.fail(i+1, "unknown escape in a string")
	}
}

func hex(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	default:
		return -1
	}
}
