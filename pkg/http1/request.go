package http1

import (
	"bytes"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"sync"

	"github.com/gptmesh/gptmesh/gen/scope"
)

// head is a request's head.
type head struct {
	method, target, host string
	url                  url.URL
	length               int64 // of the body
	last                 bool  // no request follows
	fields               http.Header
}

// parse reads a head with the empty line that ends it. It returns false for all
// that is not beyond doubt, and for all that asks for more than a plain answer.
func (h *head) parse(text string) bool {
	line, text, ok := cutLine(text)
	if !ok || !h.requestLine(line) || !h.parseTarget() {
		return false
	}
	values := make([]string, 0, 12)
	for {
		if line, text, ok = cutLine(text); !ok {
			return false
		}
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !token(name) || !fieldValue(value) {
			return false
		}
		value = strings.Trim(value, " \t")
		key := textproto.CanonicalMIMEHeaderKey(name)
		if !h.note(key, value) {
			return false
		}
		if key == "Host" {
			continue
		}
		if others, ok := h.fields[key]; ok {
			h.fields[key] = append(others, value)
			continue
		}
		values = append(values, value)
		// Its capacity is cut, so that a second value does not run into the next one.
		h.fields[key] = values[len(values)-1 : len(values) : len(values)]
	}
	return h.host != ""
}

// cutLine takes a line off that ends with CR and LF.
func cutLine(text string) (line, rest string, ok bool) {
	line, rest, ok = strings.Cut(text, "\n")
	if !ok || line == "" || line[len(line)-1] != '\r' {
		return "", "", false
	}
	return line[:len(line)-1], rest, true
}

// requestLine reads "POST /path HTTP/1.1".
func (h *head) requestLine(line string) bool {
	var version string
	var ok bool
	if h.method, line, ok = strings.Cut(line, " "); !ok || h.method == "" {
		return false
	}
	for _, c := range []byte(h.method) {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	h.target, version, ok = strings.Cut(line, " ")
	return ok && version == "HTTP/1.1" && h.method != http.MethodConnect
}

// parseTarget makes the URL of a target that is a path.
func (h *head) parseTarget() bool {
	if h.target == "" || h.target[0] != '/' {
		return false
	}
	plain := true
	for _, c := range []byte(h.target) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
		plain = plain && pathByte[c]
	}
	if plain {
		h.url = url.URL{Path: h.target}
		return true
	}
	u, err := url.ParseRequestURI(h.target)
	if err != nil {
		return false
	}
	h.url = *u
	return true
}

// note takes in the fields that say how the request is framed. It returns false
// where they say more than that.
func (h *head) note(key, value string) bool {
	switch key {
	case "Host":
		if h.host != "" || value == "" {
			return false
		}
		for _, c := range []byte(value) {
			if !hostByte[c] {
				return false
			}
		}
		h.host = value
	case "Content-Length":
		if h.fields[key] != nil || value == "" || len(value) > 15 {
			return false
		}
		for _, c := range []byte(value) {
			if c < '0' || c > '9' {
				return false
			}
			h.length = h.length*10 + int64(c-'0')
		}
	case "Connection":
		h.last = strings.EqualFold(value, "close")
		return h.fields[key] == nil && (h.last || strings.EqualFold(value, "keep-alive"))
	case "Transfer-Encoding", "Expect", "Upgrade", "Trailer", "Te", "Http2-Settings":
		return false
	}
	return true
}

// table says which bytes are among chars, letters or digits.
func table(chars string) (t [256]bool) {
	for _, c := range []byte(chars + "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}

var (
	tokenByte = table("!#$%&'*+-.^_`|~") // RFC 9110, 5.6.2
	pathByte  = table("/-._~")           // those that stand for themselves
	hostByte  = table(".-_:[]")
)

func token(s string) bool {
	for _, c := range []byte(s) {
		if !tokenByte[c] {
			return false
		}
	}
	return s != ""
}

func fieldValue(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// exchange is a request with its answer, in memory that the next one uses again
// when the handler has returned. Its context is not: others may hold that for longer.
type exchange struct {
	scope   *scope.Scope
	request http.Request
	url     url.URL
	body    Body
	answer  answer
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

func newExchange(c *conn, h *head, body []byte) *exchange {
	e, _ := exchanges.Get().(*exchange)
	e.scope = scope.WithCancel(&c.life)
	e.request = *(&http.Request{}).WithContext(e.scope)
	r := &e.request
	e.url, r.URL = h.url, &e.url
	r.Method, r.RequestURI, r.Host, r.Header, r.RemoteAddr = h.method, h.target, h.host, h.fields, c.remote
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	r.Body = http.NoBody
	if len(body) > 0 {
		e.body.rest = body
		if c.lends || c.slab != nil {
			e.body.lender = c
		}
		r.Body, r.ContentLength = &e.body, h.length
	}
	r.Close = h.last
	e.answer = answer{conn: c, header: c.sent, length: -1, bodiless: h.method == http.MethodHead, last: h.last}
	return e
}

// Body is a body that has arrived whole.
type Body struct {
	rest   []byte
	lender *conn // in whose room or slab it lies; nil for memory of its own
}

// Lend returns what has not been read. It may lie in memory that the next request
// is read into: it is the caller's until Take is called or the handler returns.
func (b *Body) Lend() []byte { return b.rest }

// Take returns what has not been read, for the caller to keep.
func (b *Body) Take() []byte {
	rest := b.rest
	b.rest = nil
	if c := b.lender; c != nil && len(rest) > 0 {
		b.lender, c.lends = nil, false
		lent := rest
		rest = bytes.Clone(lent)
		// An answer that goes on for long needs no room.
		if s := c.slab; s != nil {
			c.slab = nil
			poison(lent)
			s.Return()
		}
		c.release()
	}
	return rest
}

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close implements io.Closer. What has not been read is gone.
func (b *Body) Close() error {
	b.rest = nil
	return nil
}
