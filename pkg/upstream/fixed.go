package upstream

import "net/textproto"

// Fixed is a part of a header that is the same in many requests: it is checked and written once, by [Fix]. Nil is an
// empty one. It is safe for concurrent use.
type Fixed struct {
	header   Header
	lines    []byte // as sent
	encoding bool   // it holds Accept-Encoding
	err      error
}

// Fix makes a Fixed of a copy of header. What Request.Header may not hold makes each request fail here too.
func Fix(header Header) *Fixed {
	f := &Fixed{header: append(Header(nil), header...), err: header.check(), encoding: header.Has("Accept-Encoding")}
	f.lines = header.appendLines(nil)
	return f
}

func (f *Fixed) has(name string) bool { return f != nil && f.header.Has(name) }

// appendLines appends the fields as they are sent.
func (h Header) appendLines(dst []byte) []byte {
	for i := range h {
		dst = append(append(dst, textproto.CanonicalMIMEHeaderKey(h[i].Name)...), ": "...)
		dst = append(append(dst, h[i].Value...), "\r\n"...)
	}
	return dst
}
