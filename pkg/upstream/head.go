package upstream

import (
	"bytes"
	"fmt"
	"net/textproto"
	"strconv"
	"strings"
)

// headEnd returns the length of the head at the front of b with the empty line that ends it, or -1. from is a length
// that has been searched before.
func headEnd(b []byte, from int) int {
	for i := max(from-3, 0); ; {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return -1
		}
		i += n + 1
		switch {
		case i < len(b) && b[i] == '\n':
			return i + 1
		case i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n':
			return i + 2
		}
	}
}

// head is a parsed answer head.
type head struct {
	status int
	minor  int // of the version HTTP/1.x
	fields Header
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrProtocol, what) }

// parseHead parses a head up to its empty line. Lines may end with LF alone. Folded lines, space before a colon and
// control characters are refused: what reads as two things is not worth guessing.
func parseHead(text string, h *head) error {
	line, text := cutLine(text)
	// HTTP/1.1 200 OK
	if len(line) < 12 || line[:7] != "HTTP/1." || line[8] != ' ' || line[7] != '0' && line[7] != '1' || len(line) > 12 && line[12] != ' ' {
		return malformed("status line")
	}
	h.minor = int(line[7] - '0')
	h.status = 0
	for _, c := range []byte(line[9:12]) {
		if c < '0' || c > '9' {
			return malformed("status code")
		}
		h.status = h.status*10 + int(c-'0')
	}
	if h.status < 100 {
		return malformed("status code")
	}
	if h.fields == nil {
		h.fields = make(Header, 0, strings.Count(text, "\n"))
	}
	h.fields = h.fields[:0]
	for text != "" {
		if line, text = cutLine(text); line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !token(name) {
			return malformed("header name")
		}
		value = strings.Trim(value, " \t")
		if !fieldValue(value) {
			return malformed("header value")
		}
		h.fields = append(h.fields, Field{textproto.CanonicalMIMEHeaderKey(name), value})
	}
	return nil
}

func cutLine(s string) (line, rest string) {
	line, rest, _ = strings.Cut(s, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

// How the length of a body is told.
const (
	bodyNone = iota
	bodyLength
	bodyChunked
	bodyUntilClose
)

// framing tells how the body that follows a head is delimited, and whether the connection can be used again behind it.
func (h *head) framing(method string) (kind int, length int64, keep bool, err error) {
	keep = h.minor == 1
	length = -1
	chunked := false
	for i := range h.fields {
		f := &h.fields[i]
		switch f.Name {
		case "Content-Length":
			n, err := strconv.ParseUint(f.Value, 10, 63)
			if err != nil || length >= 0 && length != int64(n) {
				return 0, 0, false, malformed("Content-Length")
			}
			length = int64(n)
		case "Transfer-Encoding":
			if chunked || !strings.EqualFold(f.Value, "chunked") || h.minor == 0 {
				return 0, 0, false, malformed("Transfer-Encoding")
			}
			chunked = true
		case "Connection":
			for option := range strings.SplitSeq(f.Value, ",") {
				if strings.EqualFold(strings.Trim(option, " \t"), "close") {
					keep = false
				}
			}
		}
	}
	switch {
	case method == "HEAD" || h.status == 304:
		return bodyNone, 0, keep, nil
	case h.status == 204:
		// One that speaks of a body may send it.
		return bodyNone, 0, keep && !chunked && length <= 0, nil
	case chunked:
		// A length beside it is a sign of two servers that disagree: read by the coding, and never use the rest.
		return bodyChunked, 0, keep && length < 0, nil
	case length == 0:
		return bodyNone, 0, keep, nil
	case length > 0:
		return bodyLength, length, keep, nil
	default:
		return bodyUntilClose, 0, false, nil
	}
}
