package edge

import (
	"context"
	"net/http"
	"strconv"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
)

// Values of headers. Shared between requests: nobody may change them.
var (
	jsonType   = []string{"application/json"}
	textType   = []string{"text/plain; charset=utf-8"}
	noSniff    = []string{"nosniff"}
	closeValue = []string{"close"}
	noCache    = []string{"no-cache"}
	noValue    = []string{"no"}
)

var noDeadline time.Time

// statusClientGone is what log and metrics say of a client that left before its
// answer began. It is never sent.
const statusClientGone = 499

// statusOverloaded is how some dialects word 503.
const statusOverloaded = 529

// Exchange is one request with its answer. It is an http.ResponseWriter. Its
// methods are for one goroutine at a time, the handler's; a Stream has rules of
// its own. It must not be used once the handler has returned.
type Exchange struct {
	edge  *Edge
	w     http.ResponseWriter
	r     *http.Request
	conn  conn
	ctx   context.Context
	route *route
	face  *Face
	path  string
	param string

	call    callctx.Call
	timeout time.Duration
	id      [1]string // the request id, as a header's value
	length  [1]string // the body's length, as a header's value

	start, firstByte time.Time
	writeBy          time.Time // the write deadline last set
	status           int
	bytes            int64
	streaming        bool
	model            string
	failure          error
}

// conn is what the edge needs of the connection beside reading and writing.
type conn interface {
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	FlushError() error
}

// bound is a conn on which an earlier answer's write deadline may stand.
type bound interface{ WriteDeadline() time.Time }

// controlled finds the connection behind writers that are wrapped.
type controlled struct{ *http.ResponseController }

func (c controlled) FlushError() error { return c.Flush() }

func connOf(w http.ResponseWriter) conn {
	if c, ok := w.(conn); ok {
		return c
	}
	return controlled{http.NewResponseController(w)}
}

// Request is the request as it came. Its body is read with Body.
func (x *Exchange) Request() *http.Request { return x.r }

// Context ends when the client leaves, when its deadline runs out and when the
// edge is closed. It carries the callctx.Call.
func (x *Exchange) Context() context.Context { return x.ctx }

// Path is the path that was routed: without a key before it.
func (x *Exchange) Path() string { return x.path }

// Param is what stands in the place of the route's braces.
func (x *Exchange) Param() string { return x.param }

// RequestID is the request's id.
func (x *Exchange) RequestID() string { return x.call.RequestID }

// Timeout is the deadline that the client asked for; 0 where it asked for none.
func (x *Exchange) Timeout() time.Duration { return x.timeout }

// SetModel names the model for the log.
func (x *Exchange) SetModel(model string) { x.model = model }

// SetFailure notes an error for the log that the handler words itself.
func (x *Exchange) SetFailure(err error) { x.failure = err }

// Now is the edge's time.
func (x *Exchange) Now() time.Time { return x.edge.now() }

// Header is the answer's header.
func (x *Exchange) Header() http.Header { return x.w.Header() }

// Started says that the answer's status is out of hands.
func (x *Exchange) Started() bool { return x.status != 0 }

// WriteHeader begins the answer. A second call does nothing.
func (x *Exchange) WriteHeader(status int) {
	if x.status != 0 {
		return
	}
	x.status = status
	x.firstByte = x.edge.now()
	x.w.WriteHeader(status)
}

// Write writes a part of the answer's body. A client that does not read for too
// long ends in an error; so does one that left.
func (x *Exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	x.allowWrite()
	n, err := x.w.Write(p)
	x.bytes += int64(n)
	return n, err
}

// allowWrite moves the write deadline, once its first half is over.
func (x *Exchange) allowWrite() {
	// The connection goes by the real time, whatever clock the edge was given.
	now, most := time.Now(), x.edge.config.WriteTimeout
	if left, ok := x.conn.(bound); ok && x.writeBy.IsZero() {
		x.writeBy = left.WriteDeadline()
	}
	if x.writeBy.Sub(now) < most {
		x.writeBy = now.Add(most + most/2)
		_ = x.conn.SetWriteDeadline(x.writeBy) // where there is no connection, there is nothing to bound
	}
}

// Send writes p and everything before it out to the client.
func (x *Exchange) Send(p []byte) error {
	if _, err := x.Write(p); err != nil {
		return err
	}
	return x.conn.FlushError()
}

// Flush sends everything written so far to the client.
func (x *Exchange) Flush() { _ = x.conn.FlushError() }

// FlushError is Flush with what went wrong.
func (x *Exchange) FlushError() error { return x.conn.FlushError() }

// JSON answers with a whole JSON body.
func (x *Exchange) JSON(status int, body []byte) error {
	h := x.Header()
	h["Content-Type"] = jsonType
	x.length[0] = strconv.Itoa(len(body))
	h["Content-Length"] = x.length[:]
	x.WriteHeader(status)
	_, err := x.Write(body)
	return err
}

// Fail answers with an error, worded by the face. Once the answer has begun it
// does nothing but note the error for the log.
func (x *Exchange) Fail(err error) {
	x.failure = err
	if x.status != 0 {
		return
	}
	// A client that left is answered too: one that only closed its sending half
	// looks the same, and would take silence for an empty answer.
	err = x.cause(err)
	f := fault.From(err)
	status, body := x.face.wording(x.Request().Header, err)
	h := x.Header()
	if h["Retry-After"] == nil && asksToWait(status, f) {
		h["Retry-After"] = []string{strconv.Itoa(retrySeconds(f.RetryAfter))}
	}
	if status == http.StatusConflict {
		// SDKs send a 409 again by themselves; here that can never help.
		h["X-Should-Retry"] = []string{"false"}
	}
	_ = x.JSON(status, x.face.sign(body, x.call.RequestID))
}

// asksToWait says whether a client is told how long to wait: always where it
// is to come again later, else where somebody said how long.
func asksToWait(status int, f *fault.Fault) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, statusOverloaded:
		return true
	}
	return f.RetryAfter > 0 && status >= http.StatusInternalServerError
}

// cause puts the reason why the edge ended a request in the place of the mere
// cancellation that came of it.
func (x *Exchange) cause(err error) error {
	if fault.Is(err, meshv1.ErrorReason_ERROR_REASON_CANCELLED) {
		if f, ok := context.Cause(x.r.Context()).(*fault.Fault); ok {
			return f
		}
	}
	return err
}

// Cause is err, or why the edge itself ended the request where err only says
// that it was cancelled. Stream encoders use it for their last event.
func (x *Exchange) Cause(err error) error { return x.cause(err) }

// ClientGone says that nobody reads the answer any more.
func (x *Exchange) ClientGone() bool {
	ctx := x.r.Context()
	if ctx.Err() == nil {
		return false
	}
	_, own := context.Cause(ctx).(*fault.Fault)
	return !own
}

// retrySeconds is a wait in whole seconds, at least one.
func retrySeconds(d time.Duration) int {
	return max(int((d+time.Second-1)/time.Second), 1)
}
