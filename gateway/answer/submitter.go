package answer

import (
	"errors"
	"sync"
	"time"

	"github.com/gptmesh/gptmesh/gateway/edge"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Dialect is how a face answers.
type Dialect struct {
	// Codec translates.
	Codec wire.Codec
	// ContentType is that of streamed answers.
	ContentType string
	// Pause, Ping and Throughout are the heartbeat: see edge.StreamOptions. None
	// comes behind the end of an answer.
	Pause      time.Duration
	Ping       []byte
	Throughout bool
	// End is what ends a stream of the provider's own bytes where these do not
	// end with it.
	End []byte
}

// Submitter answers turns. It is safe for concurrent use.
type Submitter struct {
	caller  requestv1.RequestServiceCaller
	dialect Dialect
}

// NewSubmitter makes a submitter over the request room.
func NewSubmitter(caller requestv1.RequestServiceCaller, dialect Dialect) *Submitter {
	return &Submitter{caller: caller, dialect: dialect}
}

// Turn is one turn to answer.
type Turn struct {
	// Exchange is where it came from.
	Exchange *edge.Exchange
	// Request is what is submitted. Its timeout is set from the client's.
	Request *requestv1.SubmitRequest
	// Options are for the encoding of events; asked for when there are any.
	Options func() wire.AnswerOptions
	// Rewrite appends the provider's own bytes to dst, changed; or it returns
	// data itself. Nil leaves them as they are. model is the provider's name of
	// the model.
	Rewrite func(dst, data []byte, model string) []byte
}

var errNoEnd = errors.New("the request room ended an answer without its terminal event")

// buffers are for pieces that are put together before they are sent. A buffer
// is one answer's while it takes a chunk: streams are silent for most of their time.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// maxKept is the largest buffer that is kept for reuse.
const maxKept = 64 << 10

// Answer submits the turn and answers the exchange. It returns when the answer
// is written.
func (s *Submitter) Answer(turn *Turn) {
	x := turn.Exchange
	if timeout := x.Timeout(); timeout > 0 {
		turn.Request.Timeout = durationpb.New(timeout)
	}
	w := new(writer) // not a literal, which would be made on the stack and copied
	w.dialect, w.turn, w.x = &s.dialect, *turn, x
	if turn.Request.GetTurn().GetStream() {
		w.stream = x.Stream(edge.StreamOptions{
			ContentType: s.dialect.ContentType, Pause: s.dialect.Pause, Ping: s.dialect.Ping, Throughout: s.dialect.Throughout,
		})
		defer w.stream.Close()
	}
	err := s.caller.Submit(x.Context(), turn.Request, w.take)
	w.finish(err)
}

// finish ends an answer that has not ended by itself.
func (w *writer) finish(err error) {
	if w.ended {
		return
	}
	switch {
	case w.broken != nil:
		w.x.SetFailure(w.broken)
		return
	case w.x.ClientGone(): // Perhaps it closed its sending half alone.
		err = fault.From(w.x.Context().Err())
	case err == nil:
		err = fault.Internal(errNoEnd)
	}
	w.fail(w.x.Cause(err))
}

// fail tells the client of an error, in the way that is still open.
func (w *writer) fail(err error) {
	w.ended = true
	if w.stream == nil {
		w.x.Fail(err)
		return
	}
	w.stream.Close()
	if !w.stream.Opened() {
		w.x.Fail(err)
		return
	}
	w.x.SetFailure(err)
	w.buf = w.failure(w.buf[:0], wire.Failure(err))
	w.send(w.buf)
}
