package anthropic

import (
	"math"
	"strconv"
	"strings"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// writer appends JSON. It sets commas by itself: no value ends with one of the
// bytes that can stand before a first value.
type writer struct{ b []byte }

func (w *writer) comma() {
	if n := len(w.b); n > 0 {
		switch w.b[n-1] {
		case '{', '[', ':', '\n':
		default:
			w.b = append(w.b, ',')
		}
	}
}

func (w *writer) open(c byte)  { w.comma(); w.b = append(w.b, c) }
func (w *writer) close(c byte) { w.b = append(w.b, c) }

// raw writes a value that is JSON already, without the space around it: commas
// are set by what stands last.
func (w *writer) raw(json string) { w.comma(); w.b = append(w.b, strings.Trim(json, " \t\r\n")...) }

func (w *writer) key(name string) {
	w.comma()
	w.b = append(jsonscan.AppendString(w.b, name), ':')
}
func (w *writer) str(s string)    { w.comma(); w.b = jsonscan.AppendString(w.b, s) }
func (w *writer) int(n int64)     { w.comma(); w.b = strconv.AppendInt(w.b, n, 10) }
func (w *writer) truth(v bool)    { w.comma(); w.b = strconv.AppendBool(w.b, v) }
func (w *writer) float(f float64) { w.comma(); w.b = appendFloat(w.b, f) }

// appendFloat writes the shortest decimal that reads back as the same number.
// Exponents stand where the plain form would be long, as in JavaScript.
// What JSON has no number for becomes null.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	format := byte('f')
	if a := max(f, -f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, 64)
}

// strField and the like write a member.
func (w *writer) strField(name, s string)    { w.key(name); w.str(s) }
func (w *writer) rawField(name, json string) { w.key(name); w.raw(json) }
func (w *writer) intField(name string, n int64) {
	w.key(name)
	w.int(n)
}

// extra appends the members of a JSON object but for those that skip names.
func (w *writer) extra(object string, skip func(name string) bool) {
	if object == "" {
		return
	}
	// What is no object has no members to append.
	_ = whole([]byte(object)).members(func(name string, m *value) error {
		if skip == nil || !skip(name) {
			w.rawField(name, m.raw())
		}
		return nil
	})
}

func (w *writer) strings(list []string) {
	w.open('[')
	for _, s := range list {
		w.str(s)
	}
	w.close(']')
}
