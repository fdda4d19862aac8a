package jsonscan

// Edit changes one top-level member.
//
//	At present, Value set    the value is replaced, key and place stay
//	At present, Value nil    the member is removed, with its comma
//	At absent,  Value set    a member Key is added behind the last one
//	At absent,  Value nil    nothing
type Edit struct {
	// At is the member as Scan found it in this very body. Its zero value means that there is none.
	At Member
	// Key is the name of a member to be added, unescaped. It is not read when At is present.
	Key string
	// Value is the JSON text of the new value. It is copied as it is: the caller answers for its being one valid value.
	Value []byte
}

// Splice appends body to dst with the edits applied, which may come in any order; added members keep theirs. Every
// byte that no edit concerns is copied unchanged. Body must have passed Scan and must not overlap with dst's spare
// room. At most one allocation is made, for a dst that is too small. The error is an [*Error] with the cause ErrEdit,
// and dst is returned as it was: two edits of one member, or a member that lies outside of body.
func Splice(dst, body []byte, edits ...Edit) ([]byte, error) {
	grow := len(body)
	for i := range edits {
		grow += len(edits[i].Value) + 6*len(edits[i].Key) + 4
	}
	base := len(dst)
	out := dst
	if cap(dst)-base < grow {
		out = append(make([]byte, 0, base+grow), dst...)
	}

	copied := 0
	for {
		e, err := following(edits, copied, len(body))
		if err != nil {
			return dst, err
		}
		if e == nil {
			break
		}
		if e.Value != nil {
			out = append(out, body[copied:e.At.Value.Start]...)
			out = append(out, e.Value...)
			copied = e.At.Value.End
			continue
		}
		out = append(out, body[copied:e.At.Key.Start]...)
		copied = e.At.Value.End
		if next := skipSpace(body, copied); next < len(body) && body[next] == ',' {
			copied = skipSpace(body, next+1)
		} else {
			out = out[:base+withoutComma(out[base:])]
		}
	}
	return appendAdded(out, base, body[copied:], edits), nil
}

// following returns the first edit of a present member at or behind the offset.
func following(edits []Edit, from, limit int) (*Edit, error) {
	var first *Edit
	for i := range edits {
		e := &edits[i]
		if !e.At.Present() {
			continue
		}
		if e.At.Key.Start < 0 || e.At.Value.End > limit || e.At.Key.End > e.At.Value.Start {
			return nil, &Error{Cause: ErrEdit, Offset: e.At.Key.Start, Detail: "the member lies outside of the body"}
		}
		if e.At.Key.Start < from {
			continue
		}
		switch {
		case first == nil || e.At.Key.Start < first.At.Key.Start:
			first = e
		case e.At.Key.Start == first.At.Key.Start:
			return nil, &Error{Cause: ErrEdit, Offset: e.At.Key.Start, Detail: "one member is edited twice"}
		}
	}
	return first, nil
}

// appendAdded appends the rest of the body, with the members to be added before its closing brace.
func appendAdded(out []byte, base int, rest []byte, edits []Edit) []byte {
	added := false
	for i := range edits {
		added = added || !edits[i].At.Present() && edits[i].Value != nil
	}
	if !added {
		return append(out, rest...)
	}
	// The space before the brace stays before the brace.
	brace := len(rest) - 1
	for brace > 0 && rest[brace] != '}' {
		brace--
	}
	end := brace
	for end > 0 && isSpace(rest[end-1]) {
		end--
	}
	out = append(out, rest[:end]...)
	empty := base+trimSpace(out[base:]) > base && out[base+trimSpace(out[base:])-1] == '{'
	for i := range edits {
		e := &edits[i]
		if e.At.Present() || e.Value == nil {
			continue
		}
		if !empty {
			out = append(out, ',')
		}
		empty = false
		out = append(AppendString(out, e.Key), ':')
		out = append(out, e.Value...)
	}
	return append(out, rest[end:]...)
}

// withoutComma is the length of out without a last comma and the space behind it.
func withoutComma(out []byte) int {
	if n := trimSpace(out); n > 0 && out[n-1] == ',' {
		return n - 1
	}
	return len(out)
}

func trimSpace(b []byte) int {
	n := len(b)
	for n > 0 && isSpace(b[n-1]) {
		n--
	}
	return n
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }
