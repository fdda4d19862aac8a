package jsonscan

// Scan validates the whole body as one JSON object and finds the wanted top-level members.
//
// The result has want.Len() entries, in the order of the names; a member that is not there has Kind Absent. It uses
// the room of out when that suffices, else it is allocated. On an error, always an [*Error], the result is nil and
// nothing may be concluded from out.
func Scan(body []byte, want *Keys, out []Member) ([]Member, error) {
	c := members{parser: parser{b: body, maxDepth: want.maxDepth()}}
	out, end, err := c.collect(c.space(0), want, out)
	if err != nil {
		return nil, err
	}
	if end = c.space(end); end != len(body) {
		return nil, &Error{Cause: ErrSyntax, Offset: end, Detail: "unexpected text behind the object"}
	}
	return out, nil
}

// ScanObject is Scan for an object inside a body that has been scanned: at is its span. The spans in the result are
// offsets into body. want.MaxDepth counts from this object. What stands in its strings is not looked at again.
func ScanObject(body []byte, at Span, want *Keys, out []Member) ([]Member, error) {
	c := members{parser: parser{b: body[:at.End], maxDepth: want.maxDepth(), sure: at.within()}}
	out, _, err := c.collect(at.Start, want, out)
	return out, err
}

// ForEachMember calls fn with each member of the object at the span, in order, until fn returns false. Doubled and
// escaped keys are handed over like all others. The span is a whole body's, which is validated, or that of a Member in
// a body that nobody has changed since: what stands in its strings is not looked at again. The returned error, an
// [*Error], tells that the span holds no valid object; members before the fault have been handed over by then.
func ForEachMember(body []byte, at Span, fn func(Member) bool) error {
	c := members{parser: parser{b: body[:at.End], maxDepth: DefaultMaxDepth, sure: at.within()}}
	if !c.open(at.Start) {
		return c.err()
	}
	for c.next() {
		if !fn(c.member) {
			return nil
		}
	}
	if c.cause != nil {
		return c.err()
	}
	return nil
}

// ForEachElement calls fn with each element of the array at the span, in order, until fn returns false. An element is
// a Member without a key. The span is one like those of ForEachMember. The returned error, an [*Error], tells that the
// span holds no valid array; elements before the fault have been handed over by then.
func ForEachElement(body []byte, at Span, fn func(Member) bool) error {
	p := parser{b: body[:at.End], maxDepth: DefaultMaxDepth, sure: at.within()}
	i := p.space(at.Start)
	if i >= len(p.b) || p.b[i] != '[' {
		return &Error{Cause: ErrNotObject, Offset: i, Detail: "want an array"}
	}
	if i = p.space(i + 1); i < len(p.b) && p.b[i] == ']' {
		return nil
	}
	for {
		end, kind := p.value(i, 1)
		if end < 0 {
			return p.err()
		}
		if !fn(Member{Value: Span{i, end}, Kind: kind}) {
			return nil
		}
		i = p.space(end)
		switch {
		case i < len(p.b) && p.b[i] == ',':
			i = p.space(i + 1)
		case i < len(p.b) && p.b[i] == ']':
			return nil
		default:
			p.unexpected(i, "',' or ']'")
			return p.err()
		}
	}
}

// members walks the members of one object.
type members struct {
	parser
	at      int // offset of the next key, or behind the object once next has returned false
	first   bool
	escaped bool // the key of member holds escapes
	member  Member
}

func (c *members) open(i int) bool {
	if i = c.space(i); i >= len(c.b) || c.b[i] != '{' {
		if i >= len(c.b) {
			c.unexpected(i, "an object")
		} else {
			c.cause, c.offset, c.detail = ErrNotObject, i, "want an object"
		}
		return false
	}
	if c.tooDeep(i, 1) {
		return false
	}
	c.at, c.first = i+1, true
	return true
}

// next finds the next member. It returns false behind the last one, and on a fault, which is then in cause.
func (c *members) next() bool {
	i := c.space(c.at)
	switch {
	case i < len(c.b) && c.b[i] == '}':
		c.at = i + 1
		return false
	case c.first:
		c.first = false
	case i < len(c.b) && c.b[i] == ',':
		i = c.space(i + 1)
	default:
		c.unexpected(i, "',' or '}'")
		return false
	}
	if i >= len(c.b) || c.b[i] != '"' {
		c.unexpected(i, "a member name in quotes")
		return false
	}
	keyEnd, escaped := c.str(i)
	if keyEnd < 0 {
		return false
	}
	start := c.colon(keyEnd)
	if start < 0 {
		return false
	}
	end, kind := c.value(start, 1)
	if end < 0 {
		return false
	}
	c.member = Member{Key: Span{i, keyEnd}, Value: Span{start, end}, Kind: kind}
	c.escaped = escaped
	c.at = end
	return true
}

// collect fills out with the wanted members of the object at i and returns the offset behind it.
func (c *members) collect(i int, want *Keys, out []Member) ([]Member, int, error) {
	if cap(out) < len(want.names) {
		out = make([]Member, len(want.names))
	}
	out = out[:len(want.names)]
	clear(out)
	if !c.open(i) {
		return nil, 0, c.err()
	}
	// A syntax fault anywhere outranks a doubled or escaped key: the body is walked to its end first.
	var refused *Error
	for c.next() {
		key := c.member.Key
		raw := c.b[key.Start+1 : key.End-1]
		if c.escaped {
			if n := want.unescapedIndex(raw); n >= 0 && refused == nil {
				refused = &Error{Cause: ErrEscapedKey, Key: want.names[n], Offset: key.Start}
			}
			continue
		}
		n := want.index(raw)
		if n < 0 {
			continue
		}
		if out[n].Kind != Absent && refused == nil {
			refused = &Error{Cause: ErrDuplicate, Key: want.names[n], Offset: key.Start}
		}
		out[n] = c.member
	}
	if c.cause != nil {
		return nil, 0, c.err()
	}
	if refused != nil {
		return nil, 0, refused
	}
	return out, c.at, nil
}

// unescapedIndex finds a key that is written with escapes.
func (k *Keys) unescapedIndex(raw []byte) int {
	if len(raw) > 6*k.longest {
		return -1 // An escape is at most six bytes for one.
	}
	var room [64]byte
	return k.index(appendUnescaped(room[:0], raw))
}
