package jsonbody

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// Writer appends JSON to B. It sets commas by itself: no value ends with one of
// the bytes that can stand before a first value.
type Writer struct{ B []byte }

func (w *Writer) comma() {
	if n := len(w.B); n > 0 {
		switch w.B[n-1] {
		case '{', '[', ':', '\n', ' ':
		default:
			w.B = append(w.B, ',')
		}
	}
}

// Open writes { or [, and Close its counterpart.
func (w *Writer) Open(c byte) { w.comma(); w.B = append(w.B, c) }

// Close writes } or ].
func (w *Writer) Close(c byte) { w.B = append(w.B, c) }

// Key writes the name of a member; its value follows.
func (w *Writer) Key(name string) {
	w.comma()
	w.B = append(jsonscan.AppendString(w.B, name), ':')
}

// Str writes a string.
func (w *Writer) Str(s string) { w.comma(); w.B = jsonscan.AppendString(w.B, s) }

// Base64 writes a string that holds data as standard base64.
func (w *Writer) Base64(data []byte) {
	w.comma()
	w.B = append(base64.StdEncoding.AppendEncode(append(w.B, '"'), data), '"')
}

// Raw writes a value that is JSON already, without the space around it.
func (w *Writer) Raw(json string) { w.comma(); w.B = append(w.B, strings.Trim(json, " \t\r\n")...) }

// Float writes the shortest decimal that reads back as the same number.
// Exponents stand where the plain form would be long, as in JavaScript. What
// JSON has no number for becomes null.
func (w *Writer) Float(f float64) {
	w.comma()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		w.B = append(w.B, "null"...)
		return
	}
	w.B = appendFloat(w.B, f, 64)
}

// Float32 is Float for a number of 32 bits.
func (w *Writer) Float32(f float32) {
	w.comma()
	if wide := float64(f); math.IsNaN(wide) || math.IsInf(wide, 0) {
		w.B = append(w.B, "null"...)
		return
	}
	w.B = appendFloat(w.B, float64(f), 32)
}

func appendFloat(dst []byte, f float64, bits int) []byte {
	format := byte('f')
	if a := max(f, -f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, bits)
}

// Int writes a whole number.
func (w *Writer) Int(n int64) { w.comma(); w.B = strconv.AppendInt(w.B, n, 10) }

// Truth writes a boolean.
func (w *Writer) Truth(v bool) { w.comma(); w.B = strconv.AppendBool(w.B, v) }

// Strings writes a list of strings.
func (w *Writer) Strings(list []string) { List(w, list, w.Str) }

// Raws writes a list of values that are JSON already.
func (w *Writer) Raws(list []string) { List(w, list, w.Raw) }

// List writes a list, each value by write.
func List[T any](w *Writer, list []T, write func(T)) {
	w.Open('[')
	for _, v := range list {
		write(v)
	}
	w.Close(']')
}

// StrField writes a member that is a string.
func (w *Writer) StrField(name, s string) { w.Key(name); w.Str(s) }

// StrOrNull writes a member that is a string; null where it is "".
func (w *Writer) StrOrNull(name, s string) {
	if s == "" {
		w.RawField(name, "null")
		return
	}
	w.StrField(name, s)
}

// RawField writes a member that is JSON already.
func (w *Writer) RawField(name, json string) { w.Key(name); w.Raw(json) }

// IntField writes a member that is a whole number.
func (w *Writer) IntField(name string, n int64) {
	w.Key(name)
	w.B = strconv.AppendInt(w.B, n, 10)
}

// FloatField writes a member that is a number.
func (w *Writer) FloatField(name string, f float64) { w.Key(name); w.Float(f) }

// TruthField writes a member that is a boolean.
func (w *Writer) TruthField(name string, v bool) {
	w.Key(name)
	w.B = strconv.AppendBool(w.B, v)
}

// Extra appends the members of a JSON object but for those that skip names.
// What is no object has no members.
func (w *Writer) Extra(object string, skip func(name string) bool) {
	if object == "" {
		return
	}
	_ = Whole([]byte(object)).Members(func(name string, m *Value) error {
		if skip == nil || !skip(name) {
			w.RawField(name, m.JSON())
		}
		return nil
	})
}

// Extra gathers members that no field holds, in their order.
type Extra struct{ json []byte }

// Add adds a member as it stands.
func (x *Extra) Add(m *Value) {
	x.open()
	x.json = append(x.json, m.Key.Of(m.body)...)
	x.json = append(x.json, ':')
	x.json = append(x.json, m.Raw(m.body)...)
}

// AddJSON adds a member.
func (x *Extra) AddJSON(name, json string) {
	x.open()
	x.json = append(jsonscan.AppendString(x.json, name), ':')
	x.json = append(x.json, json...)
}

// AddAll adds what another gathered.
func (x *Extra) AddAll(other *Extra) {
	if len(other.json) > 0 {
		x.open()
		x.json = append(x.json, other.json[1:]...)
	}
}

// AddInner adds what another gathered as one member; nothing where that is
// nothing.
func (x *Extra) AddInner(name string, inner *Extra) {
	if object := inner.Object(); object != "" {
		x.AddJSON(name, object)
	}
}

func (x *Extra) open() {
	if len(x.json) == 0 {
		x.json = append(x.json, '{')
		return
	}
	x.json = append(x.json, ',')
}

// Object is the JSON object of what was added, or "".
func (x *Extra) Object() string {
	if len(x.json) == 0 {
		return ""
	}
	return string(x.json) + "}"
}
