package http1

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// mostBuffered is how much of an answer waits for more before it is sent.
	mostBuffered = 32 << 10
	// leastPiece is the least of a chunked answer that is a chunk by itself, so that it
	// is copied once; mostPieces is how much of such chunks waits for more.
	leastPiece, mostPieces = 128, 56 << 10
)

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// answer is the http.ResponseWriter. It is for one goroutine at a time.
//
// Its head is written down when its status is known, but for the fields that
// say where the body ends: these follow with the first bytes that are sent, when it is
// known whether there is more.
type answer struct {
	conn   *conn
	header http.Header
	err    error   // of writing; nothing is written any more
	out    *[]byte // ready to be sent; nil for nothing
	loose  *[]byte // body whose framing is not known yet, or that is to be a chunk; nil for nothing

	status   int
	length   int64 // of the body, as the handler says; -1 where it does not
	written  int64
	open     bool // the head ends
	chunked  bool
	pieces   bool // the handler wants it to be
	untyped  bool // no type was given
	bodiless bool // the body is not sent: of HEAD, 204 and 304
	last     bool // no request follows on the connection
	bounded  bool // the handler bounds the writes
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 || status < 200 {
		return // informational answers are not sent
	}
	a.status = status
	get(&a.out)
	b := append(*a.out, "HTTP/1.1 "...)
	b = append(strconv.AppendInt(b, int64(status), 10), ' ')
	if text := http.StatusText(status); text != "" {
		b = append(b, text...)
	} else {
		b = strconv.AppendInt(append(b, "status code "...), int64(status), 10)
	}
	b = append(b, "\r\n"...)
	b = a.appendFields(b)
	*a.out = b
	if status == http.StatusNoContent || status == http.StatusNotModified {
		a.bodiless, a.length = true, -1
	}
}

// appendFields writes the header's fields down, sorted by their names.
func (a *answer) appendFields(b []byte) []byte {
	var few [16]string
	names := few[:0]
	for name := range a.header {
		names = append(names, name)
	}
	slices.Sort(names)
	dated := false
	a.untyped = true
	for _, name := range names {
		values := a.header[name]
		switch name {
		case "Content-Length":
			if len(values) == 1 {
				if n, err := strconv.ParseInt(values[0], 10, 64); err == nil && n >= 0 {
					a.length = n
				}
			}
			continue // with the framing
		case "Transfer-Encoding":
			a.pieces = slices.Contains(values, "chunked")
			continue
		case "Trailer":
			continue
		case "Connection":
			a.last = a.last || slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, "close") })
			continue
		case "Date":
			dated = true
		case "Content-Type", "Content-Encoding":
			a.untyped = false
		}
		if strings.HasPrefix(name, http.TrailerPrefix) || !token(name) {
			continue
		}
		for _, value := range values {
			b = appendField(b, name, value)
		}
	}
	if a.pieces {
		a.length, a.untyped = -1, false
	}
	if !dated {
		b = append(append(append(b, "Date: "...), a.conn.server.clock.now()...), "\r\n"...)
	}
	return b
}

// appendField writes one field down. Line ends within its value become spaces.
func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	at := len(b)
	b = append(b, value...)
	if !fieldValue(value) {
		for i, c := range b[at:] {
			if c == '\r' || c == '\n' {
				b[at+i] = ' '
			}
		}
	}
	return append(b, "\r\n"...)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	switch {
	case a.bodiless && (a.status == http.StatusNoContent || a.status == http.StatusNotModified):
		return 0, http.ErrBodyNotAllowed
	case a.err != nil:
		return 0, a.err
	}
	a.written += int64(len(p))
	if a.length >= 0 && a.written > a.length {
		return 0, http.ErrContentLength
	}
	if a.bodiless {
		a.giveType(p)
		return len(p), nil
	}
	if a.length >= 0 && !a.open {
		a.begin(p, true)
	}
	if !a.open && a.length < 0 && a.waiting()+len(p) >= mostBuffered { // p need not be copied to be framed
		if a.loose == nil {
			a.begin(p, false)
		}
		a.settle(false)
	}
	if a.chunked && a.loose == nil && len(p) >= leastPiece {
		get(&a.out)
		*a.out = appendChunk(*a.out, p)
		if len(*a.out) >= mostPieces {
			return len(p), a.send()
		}
		return len(p), nil
	}
	to := &a.loose
	if a.length >= 0 {
		if len(p) >= mostBuffered/2 {
			return a.writeBehind(p)
		}
		to = &a.out
	}
	get(to)
	**to = append(**to, p...)
	if len(**to) >= mostBuffered {
		return len(p), a.FlushError()
	}
	return len(p), nil
}

// waiting is how much of the body is not framed yet.
func (a *answer) waiting() int {
	if a.loose == nil {
		return 0
	}
	return len(*a.loose)
}

// writeBehind sends what is ready and p behind it, uncopied.
func (a *answer) writeBehind(p []byte) (int, error) {
	get(&a.out)
	a.unbind()
	pieces := net.Buffers{*a.out, p}
	if _, a.err = pieces.WriteTo(a.conn.nc); a.err != nil {
		a.fail()
	}
	put(&a.out)
	return len(p), a.err
}

// begin ends the head. p is what the body begins with; whole says that no more
// of it comes than is known.
func (a *answer) begin(p []byte, whole bool) {
	a.giveType(p)
	a.open = true
	b := *a.out
	switch {
	case a.status == http.StatusNoContent || a.status == http.StatusNotModified:
	case a.length >= 0:
		b = appendLength(b, a.length)
	case whole && !a.pieces && !a.bodiless:
		b = appendLength(b, int64(len(p)))
	case a.bodiless: // HEAD: what a GET would have got
		if whole && a.written > 0 {
			b = appendLength(b, a.written)
		}
	default:
		a.chunked = true
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if a.last = a.last || a.conn.server.closing.Load(); a.last {
		b = append(b, "Connection: close\r\n"...)
	}
	*a.out = append(b, "\r\n"...)
}

// giveType says what p, the beginning of the body, looks like, where the handler
// did not say it.
func (a *answer) giveType(p []byte) {
	if a.untyped && !a.open && len(p) > 0 {
		*a.out = appendField(*a.out, "Content-Type", http.DetectContentType(p))
		a.untyped = false
	}
}

func appendLength(b []byte, n int64) []byte {
	return append(strconv.AppendInt(append(b, "Content-Length: "...), n, 10), "\r\n"...)
}

// frame moves the loose part of the body behind what is ready to be sent.
func (a *answer) frame() {
	if a.loose == nil || len(*a.loose) == 0 {
		return // an empty chunk would end the body
	}
	get(&a.out)
	if a.chunked {
		*a.out = appendChunk(*a.out, *a.loose)
	} else {
		*a.out = append(*a.out, *a.loose...)
	}
	put(&a.loose)
}

func appendChunk(b, p []byte) []byte {
	b = slices.Grow(b, len(p)+16)
	b = append(strconv.AppendUint(b, uint64(len(p)), 16), "\r\n"...)
	return append(append(b, p...), "\r\n"...)
}

// get makes sure that there is a buffer.
func get(b **[]byte) {
	if *b == nil {
		*b = buffers.Get().(*[]byte)
		**b = (**b)[:0]
	}
}

// put gives a buffer back; large ones are left to the collector.
func put(b **[]byte) {
	if *b != nil && cap(**b) <= 2*mostBuffered {
		buffers.Put(*b)
	}
	*b = nil
}

// Flush implements http.Flusher.
func (a *answer) Flush() { _ = a.FlushError() }

// FlushError sends everything written so far, in one write.
func (a *answer) FlushError() error {
	a.settle(false)
	return a.send()
}

// settle makes everything written so far ready to be sent. whole says that no
// more comes.
func (a *answer) settle(whole bool) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if !a.open {
		var p []byte
		if a.loose != nil {
			p = *a.loose
		}
		a.begin(p, whole)
	}
	a.frame()
}

func (a *answer) send() error {
	a.unbind()
	if a.err == nil && a.out != nil {
		if _, a.err = a.conn.nc.Write(*a.out); a.err != nil {
			a.fail()
		}
	}
	put(&a.out)
	return a.err
}

// fail makes the connection of no use any more: a part may have gone out.
func (a *answer) fail() {
	a.last = true
	a.conn.life.Cancel(nil)
}

// finish sends what ends the answer. It returns false where no request may
// follow.
func (a *answer) finish() bool {
	a.settle(true)
	if a.chunked {
		get(&a.out)
		*a.out = append(*a.out, "0\r\n\r\n"...)
	}
	err := a.send()
	put(&a.loose)
	exact := a.length < 0 || a.length == a.written || a.bodiless // else the client waits for the rest
	return err == nil && !a.last && exact
}

// drop forgets what was not sent.
func (a *answer) drop() {
	put(&a.out)
	put(&a.loose)
}

// SetWriteDeadline bounds the answer's writes to the client that come after it.
func (a *answer) SetWriteDeadline(t time.Time) error {
	a.bounded, a.conn.writeBy = true, t
	return a.conn.nc.SetWriteDeadline(t)
}

// WriteDeadline bounds the answer's writes by what an earlier answer on the
// connection left, which is cheaper than to set it anew, and returns that; zero for
// no bound.
func (a *answer) WriteDeadline() time.Time {
	a.bounded = true
	return a.conn.writeBy
}

// unbind lifts what an earlier answer left and this one does not want.
func (a *answer) unbind() {
	if !a.bounded && !a.conn.writeBy.IsZero() {
		a.conn.writeBy = time.Time{}
		_ = a.conn.nc.SetWriteDeadline(time.Time{})
	}
}

// SetReadDeadline is not supported: there is nothing left to read.
func (a *answer) SetReadDeadline(time.Time) error { return errors.ErrUnsupported }
