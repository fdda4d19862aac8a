package texttool

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
)

type place uint8

const (
	beforeObject place = iota
	beforeKey
	inKey
	beforeColon
	beforeValue
	inText
	behindText
	plain // the arguments are no object: they are the text
	lost  // the text can be told at the end alone
)

const key = `"input"`

// Reader takes the text out of arguments that come in pieces. The zero Reader
// stands at their begin. What a model writes instead of {"input": "…"} becomes
// the text as well as can be: the only string of another object, else all of it.
type Reader struct {
	at      place
	matched int    // bytes of the key
	held    []byte // what came before the text was found
	escape  []byte // an escape that is not whole
}

// Add takes a piece and returns the text that it adds.
func (r *Reader) Add(piece string) string {
	var out strings.Builder
	for i := 0; i < len(piece); {
		switch r.at {
		case inText:
			i += r.text(&out, piece[i:])
			continue
		case plain:
			out.WriteString(piece[i:])
			return out.String()
		case behindText:
			return out.String()
		}
		r.held = append(r.held, piece[i])
		r.head(piece[i])
		if r.at == plain {
			out.Write(r.held)
		}
		if r.at == inText || r.at == plain {
			r.held = nil
		}
		i++
	}
	return out.String()
}

// head takes a byte of what stands before the text.
func (r *Reader) head(c byte) {
	space := c == ' ' || c == '\t' || c == '\n' || c == '\r'
	switch {
	case r.at == inKey && c == key[r.matched]:
		if r.matched++; r.matched == len(key) {
			r.at = beforeColon
		}
	case r.at == inKey || r.at == lost:
		r.at = lost
	case space:
	case r.at == beforeObject && c == '{':
		r.at = beforeKey
	case r.at == beforeObject:
		r.at = plain
	case r.at == beforeKey && c == '"':
		r.at, r.matched = inKey, 1
	case r.at == beforeColon && c == ':':
		r.at = beforeValue
	case r.at == beforeValue && c == '"':
		r.at = inText
	default:
		r.at = lost
	}
}

// text takes a run of bytes of the text, or a byte of an escape, and returns how
// many it took.
func (r *Reader) text(out *strings.Builder, piece string) int {
	if len(r.escape) > 0 {
		return r.escaped(out, piece[0])
	}
	switch i := strings.IndexAny(piece, `"\`); {
	case i < 0:
		out.WriteString(piece)
		return len(piece)
	case i > 0:
		out.WriteString(piece[:i])
		return i
	case piece[0] == '"':
		r.at = behindText
	default:
		r.escape = append(r.escape, '\\')
	}
	return 1
}

const (
	escapeBytes = len(`\u0000`)
	pairBytes   = 2 * escapeBytes
)

// escaped takes the next byte of an escape, or ends the escape before it.
func (r *Reader) escaped(out *strings.Builder, c byte) int {
	n := len(r.escape)
	if n == escapeBytes && c != '\\' || n == escapeBytes+1 && c != 'u' {
		r.unescape(out, escapeBytes) // half a pair stands alone
		return 0
	}
	r.escape = append(r.escape, c)
	n++
	switch {
	case r.escape[1] != 'u', n == pairBytes, n == escapeBytes && !r.half():
		r.unescape(out, n)
	}
	return 1
}

// half says whether the escape is the first half of a surrogate pair.
func (r *Reader) half() bool {
	unit, err := strconv.ParseUint(string(r.escape[2:escapeBytes]), 16, 16)
	return err == nil && utf16.IsSurrogate(rune(unit)) && unit < 0xDC00
}

// unescape writes the first n bytes of the escape. What is none stays as it is.
func (r *Reader) unescape(out *strings.Builder, n int) {
	var text string
	if err := json.Unmarshal([]byte(`"`+string(r.escape[:n])+`"`), &text); err != nil {
		text = string(r.escape[:n])
	}
	out.WriteString(text)
	r.escape = append(r.escape[:0], r.escape[n:]...)
}

// End returns the text that could not be told before the end of the arguments.
func (r *Reader) End() string {
	held := string(r.held)
	r.held = nil
	if r.at == inText || r.at == behindText || r.at == plain {
		return ""
	}
	r.at = behindText
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(held), &members) != nil {
		return held
	}
	var text string
	switch input, given := members["input"]; {
	case given && json.Unmarshal(input, &text) == nil:
		return text
	case given:
		return string(input)
	case len(members) == 0:
		return ""
	case len(members) == 1:
		for _, only := range members {
			if json.Unmarshal(only, &text) == nil {
				return text
			}
		}
	}
	return held
}
