package jsonscan

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Text returns the string value, unescaped. A surrogate escape without its partner becomes U+FFFD. The error, an
// [*Error], names the key when the value is not a string or is absent.
func (m Member) Text(body []byte) (string, error) {
	if m.Kind != String {
		return "", m.mismatch(body, "a string")
	}
	raw := body[m.Value.Start+1 : m.Value.End-1]
	if !hasEscape(raw) {
		return string(raw), nil
	}
	var text strings.Builder
	text.Grow(len(raw)) // no meaning is longer than what is written for it
	for {
		n := plain(raw)
		text.Write(raw[:n])
		if raw = raw[n:]; len(raw) == 0 {
			return text.String(), nil
		}
		r, n := unescape(raw)
		text.WriteRune(r)
		raw = raw[n:]
	}
}

// keptLength is the least length of a text that is worth keeping a body for.
const keptLength = 256

// TextIn is Text for a body that nobody changes any more: a long text without escapes is a part of it.
func (m Member) TextIn(body []byte) (string, error) {
	if m.Kind == String && m.Value.End-m.Value.Start > keptLength {
		if raw := body[m.Value.Start+1 : m.Value.End-1]; !hasEscape(raw) {
			return unsafe.String(&raw[0], len(raw)), nil
		}
	}
	return m.Text(body)
}

// AppendText appends the string value, unescaped, to dst; apart from that it is Text.
func (m Member) AppendText(dst, body []byte) ([]byte, error) {
	if m.Kind != String {
		return dst, m.mismatch(body, "a string")
	}
	return appendUnescaped(dst, body[m.Value.Start+1:m.Value.End-1]), nil
}

// AppendInside appends what inside, what stands between the quotes of a string, stands for to dst; false where it is not
// the inside of one.
func AppendInside(dst, inside []byte) (out []byte, ok bool) {
	start := len(dst)
	dst = append(append(append(dst, '"'), inside...), '"')
	p := parser{b: dst}
	end, escaped := p.str(start)
	if end != len(dst) {
		return dst[:start], false
	}
	if inside = dst[start+1 : end-1]; escaped {
		return appendUnescaped(dst[:start], inside), true // which is not longer
	}
	return append(dst[:start], inside...), true
}

// Bool returns the value of true or false. The error, an [*Error], names the key when the value is something else.
func (m Member) Bool(body []byte) (bool, error) {
	switch m.Kind {
	case True:
		return true, nil
	case False:
		return false, nil
	default:
		return false, m.mismatch(body, "a boolean")
	}
}

// Int64 returns a whole number. A fraction or an exponent is refused, also where the value would be whole. The error,
// an [*Error], names the key: ErrType when it is no whole number, ErrRange when it does not fit.
func (m Member) Int64(body []byte) (int64, error) {
	if m.Kind != Number {
		return 0, m.mismatch(body, "a whole number")
	}
	raw := m.Value.Of(body)
	negative := raw[0] == '-'
	if negative {
		raw = raw[1:]
	}
	var n uint64
	for _, c := range raw {
		if c < '0' || c > '9' {
			return 0, m.mismatch(body, "a whole number")
		}
		d := uint64(c - '0')
		if n > (math.MaxUint64-d)/10 {
			return 0, m.fault(body, ErrRange, "want a 64-bit whole number")
		}
		n = n*10 + d
	}
	switch {
	case negative && n <= 1<<63:
		return -int64(n), nil
	case !negative && n < 1<<63:
		return int64(n), nil
	default:
		return 0, m.fault(body, ErrRange, "want a 64-bit whole number")
	}
}

// Float64 returns a number. The error, an [*Error], names the key: ErrType when the value is no number, ErrRange when
// it is too large.
func (m Member) Float64(body []byte) (float64, error) {
	if m.Kind != Number {
		return 0, m.mismatch(body, "a number")
	}
	f, err := strconv.ParseFloat(string(m.Value.Of(body)), 64)
	if err != nil {
		return 0, m.fault(body, ErrRange, "want a 64-bit number")
	}
	return f, nil
}

func (m Member) mismatch(body []byte, want string) error {
	return m.fault(body, ErrType, "want "+want+", have "+m.Kind.String())
}

func (m Member) fault(body []byte, cause error, detail string) error {
	return &Error{Cause: cause, Key: string(m.AppendName(nil, body)), Offset: m.Value.Start, Detail: detail}
}

func hasEscape(raw []byte) bool { return bytes.IndexByte(raw, '\\') >= 0 }

// appendUnescaped appends the meaning of a validated string's inside.
func appendUnescaped(dst, raw []byte) []byte {
	for {
		n := plain(raw)
		dst = append(dst, raw[:n]...)
		if raw = raw[n:]; len(raw) == 0 {
			return dst
		}
		r, n := unescape(raw)
		dst = utf8.AppendRune(dst, r)
		raw = raw[n:]
	}
}

// plain is how much of a string's inside stands before its first escape.
func plain(raw []byte) int {
	if n := bytes.IndexByte(raw, '\\'); n >= 0 {
		return n
	}
	return len(raw)
}

// unescape reads the escape that raw begins with, of a validated string, and tells its length.
func unescape(raw []byte) (r rune, n int) {
	switch c := raw[1]; c {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		return unescapeRune(raw)
	default:
		return rune(c), 2
	}
}

// unescapeRune reads the \u escape at the front, and the one behind it when both make a surrogate pair.
func unescapeRune(raw []byte) (r rune, n int) {
	r = hex4(raw[2:])
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(raw) >= 12 && raw[6] == '\\' && raw[7] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(raw[8:])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

func hex4(b []byte) rune {
	return hex(b[0])<<12 | hex(b[1])<<8 | hex(b[2])<<4 | hex(b[3])
}

const hexDigits = "0123456789abcdef"

// AppendString appends s to dst as a JSON string with its quotes. Only what must be escaped is; bytes that are not
// UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[from:i]...), "\uFFFD"...)
				from = i + 1
			}
			i += n
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}
