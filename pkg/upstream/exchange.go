package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gptmesh/gptmesh/gen/scope"
)

// InlineBody is the greatest body that the lean client writes before it looks at the answer: it does not read such a body
// any more when Do has returned. A larger one might fill all buffers on the way while the server, having answered
// already, no longer reads it.
const InlineBody = 32 << 10

// writeMoment is how long the end of an answer waits for the end of writing its request, before giving the connection up.
const writeMoment = 50 * time.Millisecond

// interim is the number of 1xx answers that are passed over.
const interim = 16

// exchange is one request on one connection, and the body of its answer.
type exchange struct {
	client *Client
	cn     *conn
	ctx    context.Context
	host   string
	resp   Response

	headerTimeout, idleTimeout time.Duration

	stop  scope.Hook // on ctx
	watch bool       // it is on

	wrote    int64 // bytes of the request; to be read only when writing has ended
	writing  chan struct{}
	writeErr error
	phase    sync.Mutex // over headRead and the read deadline, while writing goes on beside reading
	headRead bool
	answered bool     // a byte of the answer has come
	early    error    // of the first read of the answer, where that has been
	asked    *Request // while the head is read
	headErr  error

	keep    bool // the connection can be used again behind the body
	kind    int
	left    int64
	chunked dechunker
	failed  *Error // what the body ended with, if not with its end
	state   atomic.Int32
}

// The states of a body.
const (
	bodyOpen = iota
	bodyReading
	bodyEnded // at its end or failed; the connection is given back
	bodyClosed
)

// watched closes the connection when the context ends.
func (x *exchange) watched() {
	x.watch = true
	x.stop.Hang(x.ctx, x.cn.abort)
}

// unwatch ends the watch and reports whether the connection was left alone.
func (x *exchange) unwatch() bool {
	if !x.watch || x.stop.Stop() {
		return true
	}
	<-x.cn.aborted
	return false
}

// send writes the request, a large body in a goroutine, unless it returns errUnfit.
func (x *exchange) send(req *Request) error {
	cn := x.cn
	large := len(req.Body) > InlineBody
	if cn.used && (large || cn.turn == nil) && !cn.fit() { // a turn looks itself
		return errUnfit
	}
	if large {
		cn.allowWrite(x.headerTimeout)
		x.writing = make(chan struct{})
		go x.sendLarge(req.appendHead(nil), req.Body)
		return nil
	}
	buffer := outRooms.Get().(*[]byte)
	out := append(req.appendHead((*buffer)[:0]), req.Body...)
	err := x.sendSmall(out)
	if *buffer = out; cap(out) <= 2*InlineBody {
		outRooms.Put(buffer)
	}
	if err != nil {
		return explain(x.ctx, err, ErrHeaderTimeout)
	}
	return nil
}

// sendSmall writes the request, and may wait for the first bytes of its answer.
func (x *exchange) sendSmall(out []byte) error {
	cn := x.cn
	if cn.turn != nil {
		cn.allowRead(x.headerTimeout)
		done, err := x.take(cn.turn, out)
		if done || err != nil {
			return err
		}
	}
	cn.allowWrite(x.headerTimeout)
	n, err := cn.rw.Write(out[x.wrote:])
	x.wrote += int64(n)
	if err == nil {
		cn.allowRead(x.headerTimeout)
	}
	return err
}

// sendLarge writes head and body while the answer is awaited, whose time begins to count when the writing has ended. If
// writing failed, an answer may still be there to be read; a short bound makes sure that reading ends.
func (x *exchange) sendLarge(head, body []byte) {
	defer close(x.writing)
	bufs := net.Buffers{head, body}
	x.wrote, x.writeErr = bufs.WriteTo(x.cn.rw)
	limit := x.headerTimeout
	switch {
	case errors.Is(x.writeErr, os.ErrDeadlineExceeded):
		limit = time.Nanosecond
	case x.writeErr != nil:
		limit = time.Second
	}
	x.phase.Lock()
	defer x.phase.Unlock()
	if !x.headRead && limit > 0 {
		_ = x.cn.rw.SetReadDeadline(time.Now().Add(limit))
	}
}

// written reports whether writing has ended, and well. Only then may the connection be used again. A server that has read
// the whole request can have answered before the writing goroutine has come to say so; it is given a moment for that.
func (x *exchange) written() bool {
	if x.writing == nil {
		return true
	}
	select {
	case <-x.writing:
		return x.writeErr == nil
	default:
	}
	moment := time.NewTimer(writeMoment)
	defer moment.Stop()
	select {
	case <-x.writing:
		return x.writeErr == nil
	case <-moment.C:
		return false
	}
}

// head is readHead, on a lent stack where there is something to be read.
func (x *exchange) head(req *Request) error {
	if x.cn.r == x.cn.w {
		return x.readHead(req.Method)
	}
	x.asked = req
	x.client.cfg.Stacks.Do((*headRead)(x))
	x.asked = nil
	return x.headErr
}

// headRead is the reading of a head.
type headRead exchange

func (r *headRead) Run() {
	x := (*exchange)(r)
	x.headErr = x.readHead(x.asked.Method)
}

// readHead reads the head of the final answer and sets up the body.
func (x *exchange) readHead(method string) error {
	cn := x.cn
	var h head
	for range interim {
		end, err := x.awaitHead()
		if err != nil {
			return err
		}
		text := string(cn.in[cn.r : cn.r+end])
		cn.r += end
		if err := parseHead(text, &h); err != nil {
			return err
		}
		if h.status >= 200 {
			return x.begin(method, &h)
		}
		if h.status == 101 {
			return malformed("an upgrade that was not asked for")
		}
	}
	return malformed("too many interim answers")
}

// awaitHead reads until a whole head lies in the buffer and returns its length.
func (x *exchange) awaitHead() (int, error) {
	cn := x.cn
	searched := 0
	for {
		have := cn.in[cn.r:cn.w]
		x.answered = x.answered || len(have) > 0
		end := headEnd(have, searched)
		if end > x.client.cfg.MaxHeaderBytes || end < 0 && len(have) > x.client.cfg.MaxHeaderBytes {
			return 0, ErrHeaderTooLarge
		}
		if end >= 0 {
			return end, nil
		}
		searched = len(have)
		if cn.r > 0 {
			cn.w = copy(cn.in, have)
			cn.r = 0
		}
		if cn.w == len(cn.in) && cn.in != nil {
			cn.in = append(cn.in, make([]byte, len(cn.in))...)
		}
		err := x.early
		if x.early = nil; err == nil {
			err = cn.fill()
		}
		if err != nil {
			return 0, x.headError(err)
		}
	}
}

// headError explains why no head came. While a large body is written, a deadline is set only behind the end of that.
func (x *exchange) headError(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if x.writing != nil && x.ctx.Err() == nil && errors.Is(err, os.ErrDeadlineExceeded) {
		if <-x.writing; x.writeErr != nil {
			err = x.writeErr
		}
	}
	return explain(x.ctx, err, ErrHeaderTimeout)
}

// begin sets up the response.
func (x *exchange) begin(method string, h *head) error {
	kind, length, keep, err := h.framing(method)
	if err != nil {
		return err
	}
	x.resp.Status, x.resp.Header = h.status, h.fields
	x.kind, x.left, x.keep = kind, length, keep
	// A body that is still being written is given all the time that the answer takes.
	x.phase.Lock()
	x.headRead = true
	x.cn.readLimit = x.cn.readLimit || x.writing != nil
	x.cn.allowRead(0)
	x.cn.allowWrite(0)
	x.phase.Unlock()
	if kind == bodyNone {
		x.state.Store(bodyEnded)
		x.release()
	}
	return nil
}

// Read implements io.Reader for the body.
func (x *exchange) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if !x.state.CompareAndSwap(bodyOpen, bodyReading) {
		if x.state.Load() == bodyEnded {
			return 0, x.end()
		}
		return 0, x.closed()
	}
	n, ended, err := x.read(p)
	next := int32(bodyOpen)
	if ended || err != nil {
		next = bodyEnded
	}
	if !x.state.CompareAndSwap(bodyReading, next) {
		x.abandon() // Close came meanwhile and left the connection to this reader.
		return 0, x.closed()
	}
	switch {
	case err != nil:
		x.fail(&Error{Op: "body", Host: x.host, Sent: true, Err: err})
		if n == 0 {
			return 0, x.end()
		}
	case ended:
		x.release()
		if n == 0 {
			return 0, io.EOF
		}
	}
	return n, nil
}

// fail notes how the body ended and gives the connection up.
func (x *exchange) fail(err *Error) {
	x.abandon()
	x.failed = err
}

// end is what reading an ended body returns.
func (x *exchange) end() error {
	if x.failed != nil {
		return x.failed
	}
	return io.EOF
}

// read returns what is there, reading the connection only when nothing is. ended tells that the body is complete.
func (x *exchange) read(p []byte) (n int, ended bool, err error) {
	switch x.kind {
	case bodyChunked:
		return x.readChunked(p)
	case bodyLength:
		if int64(len(p)) > x.left {
			p = p[:x.left]
		}
		n, err = x.readPlain(p)
		x.left -= int64(n)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return n, x.left == 0, err
	default:
		n, err = x.readPlain(p)
		if err == io.EOF {
			return n, true, nil
		}
		return n, false, err
	}
}

func (x *exchange) readPlain(p []byte) (int, error) {
	cn := x.cn
	var err error
	if cn.r == cn.w {
		cn.allowRead(x.idleTimeout)
		if len(p) >= readRoom/4 {
			var n int
			if n, err = cn.rw.Read(p); n > 0 {
				return n, nil // An error comes again with the next read.
			}
		} else {
			err = cn.fill()
		}
	}
	if cn.r < cn.w {
		n := copy(p, cn.in[cn.r:cn.w])
		cn.r += n
		return n, nil
	}
	if err != nil && err != io.EOF || x.ctx.Err() != nil {
		err = explain(x.ctx, err, ErrIdleTimeout)
	}
	return 0, err
}

func (x *exchange) readChunked(p []byte) (n int, ended bool, err error) {
	cn := x.cn
	for {
		m, used, err := x.chunked.next(p[n:], cn.in[cn.r:cn.w])
		n, cn.r = n+m, cn.r+used
		if err != nil {
			return n, false, err
		}
		if x.chunked.state == chunkedDone {
			return n, true, nil
		}
		if n > 0 {
			return n, false, nil
		}
		cn.allowRead(x.idleTimeout)
		if err := cn.fill(); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, false, explain(x.ctx, err, ErrIdleTimeout)
		}
	}
}

// Close implements io.Closer for the body.
func (x *exchange) Close() error {
	switch x.state.Swap(bodyClosed) {
	case bodyOpen:
		if x.finish() {
			x.release()
		} else {
			x.abandon()
		}
	case bodyReading:
		x.cn.cut() // Ends the read; the reader sees the state and does the rest.
	}
	return nil
}

// finish reports whether the rest of the body, unread, is in the buffer up to its end. It never waits.
func (x *exchange) finish() bool {
	have := int64(x.cn.w - x.cn.r)
	switch x.kind {
	case bodyLength:
		if have < x.left {
			return false
		}
		x.cn.r += int(x.left)
		return true
	case bodyChunked:
		var scratch [512]byte
		for {
			n, used, err := x.chunked.next(scratch[:], x.cn.in[x.cn.r:x.cn.w])
			x.cn.r += used
			if err != nil {
				return false
			}
			if n == 0 || x.chunked.state == chunkedDone {
				return x.chunked.state == chunkedDone
			}
		}
	default:
		return false
	}
}

// release gives the connection back to the pool if it can be used again.
func (x *exchange) release() {
	cn := x.cn
	// Bytes behind the answer belong to nothing that was asked.
	if !x.keep || cn.r != cn.w || !x.written() || !x.unwatch() {
		x.abandon()
		return
	}
	x.unuse()
	x.client.pool.put(cn)
}

// unuse clears what the connection should not carry into its next request.
func (x *exchange) unuse() {
	x.cn.allowRead(0)
	keepRoom(x.cn.in)
	x.cn.in, x.cn.r, x.cn.w = nil, 0, 0
	x.cn.used = true
}

// abandon closes the connection and waits until nobody uses it.
func (x *exchange) abandon() {
	x.cn.close()
	x.unwatch()
	if x.writing != nil {
		<-x.writing
	}
}
