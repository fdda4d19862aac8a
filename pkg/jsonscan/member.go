package jsonscan

// Kind says what a JSON value is.
type Kind uint8

// The kinds of a value. Absent is the zero value: the member is not in the document.
const (
	Absent Kind = iota
	Null
	False
	True
	Number
	String
	Array
	Object
)

// String names the kind as a message to a person would: "null", "boolean", "number", "string", "array", "object".
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case False, True:
		return "boolean"
	case Number:
		return "number"
	case String:
		return "string"
	case Array:
		return "array"
	case Object:
		return "object"
	default:
		return "absent"
	}
}

// Span is the half-open range [Start, End) of byte offsets in the scanned body.
type Span struct{ Start, End int }

// Of returns the bytes of the span. The result aliases body and cannot be appended to in place.
func (s Span) Of(body []byte) []byte { return body[s.Start:s.End:s.End] }

// within says that the span begins within its body, as only that of a value within another one does: that of a [Member],
// which was validated when it was found.
func (s Span) within() bool { return s.Start > 0 }

// Member is one member of an object, or one element of an array, as it lies in the body.
type Member struct {
	// Key spans the key with its quotes. It is empty for an array element.
	Key Span
	// Value spans the value without the space around it.
	Value Span
	// Kind is the kind of the value. Absent means that the member is not there and both spans are empty.
	Kind Kind
}

// Present reports whether the member is in the document, null included.
func (m Member) Present() bool { return m.Kind != Absent }

// Raw returns the JSON text of the value, or nil when the member is absent. The result aliases body.
func (m Member) Raw(body []byte) []byte {
	if m.Kind == Absent {
		return nil
	}
	return m.Value.Of(body)
}

// AppendName appends the unescaped key to dst. It appends nothing for an array element.
func (m Member) AppendName(dst, body []byte) []byte {
	if m.Key.End-m.Key.Start < 2 {
		return dst
	}
	return appendUnescaped(dst, body[m.Key.Start+1:m.Key.End-1])
}

// NameIs reports whether the unescaped key equals name. It allocates only for long keys with escapes.
func (m Member) NameIs(body []byte, name string) bool {
	if m.Key.End-m.Key.Start < 2 {
		return false
	}
	raw := body[m.Key.Start+1 : m.Key.End-1]
	if !hasEscape(raw) {
		return string(raw) == name
	}
	if len(raw) > 6*len(name) {
		return false // An escape is at most six bytes for one.
	}
	var room [64]byte
	return string(appendUnescaped(room[:0], raw)) == name
}
