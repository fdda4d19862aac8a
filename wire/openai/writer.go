package openai

import (
	"math"
	"strconv"
	"strings"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// writer appends JSON and sets the commas by itself: no value ends with a byte
// that can stand before a first one.
type writer struct{ b []byte }

func (w *writer) comma() {
	if n := len(w.b); n > 0 {
		switch w.b[n-1] {
		case '{', '[', ':', ' ':
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

func (w *writer) str(s string)        { w.comma(); w.b = jsonscan.AppendString(w.b, s) }
func (w *writer) integer(n int64)     { w.comma(); w.b = strconv.AppendInt(w.b, n, 10) }
func (w *writer) truth(v bool)        { w.comma(); w.b = strconv.AppendBool(w.b, v) }
func (w *writer) number(f float64)    { w.comma(); w.b = appendFloat(w.b, f, 64) }
func (w *writer) number32(f float32)  { w.comma(); w.b = appendFloat(w.b, float64(f), 32) }
func (w *writer) strings(of []string) { writeList(w, of, w.str) }

func writeList[T any](w *writer, of []T, write func(T)) {
	w.open('[')
	for _, v := range of {
		write(v)
	}
	w.close(']')
}

func (w *writer) strField(name, s string)         { w.key(name); w.str(s) }
func (w *writer) rawField(name, json string)      { w.key(name); w.raw(json) }
func (w *writer) intField(name string, n int64)   { w.key(name); w.integer(n) }
func (w *writer) truthField(name string, v bool)  { w.key(name); w.truth(v) }
func (w *writer) numField(name string, f float64) { w.key(name); w.number(f) }

// strOrNull writes "" as null.
func (w *writer) strOrNull(name, s string) {
	if s == "" {
		w.rawField(name, "null")
		return
	}
	w.strField(name, s)
}

// appendFloat writes the shortest decimal that reads back as the same number.
// What JSON has no number for becomes null.
func appendFloat(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, bits)
}
