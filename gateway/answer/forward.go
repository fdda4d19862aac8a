package answer

import (
	"net/http"

	"github.com/gptmesh/gptmesh/gateway/edge"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
)

// Forwarding is one call that is passed on as it is.
type Forwarding struct {
	// Exchange is where it came from.
	Exchange *edge.Exchange
	// GPT takes it.
	GPT gptv1.GPTServiceCaller
	// Request is what is passed on. Its request id is set from the exchange.
	Request *gptv1.ForwardRequest
	// Word words an error that comes before the answer. Nil leaves it as it is.
	Word func(error) error
	// Instead answers in the place of an error that comes before the answer, and
	// says whether it did. Nil never does.
	Instead func(error) bool
	// Late words an error, of an answer of the given type that has begun, as a
	// piece of it. Nil, and nil as its result, mean that there are no words: the
	// connection is broken off, so that nobody takes the answer for whole.
	Late func(contentType string, err error) []byte
}

// Forward passes a call on and writes what comes back, as it comes. It returns
// when the answer is written.
func Forward(f Forwarding) {
	x := f.Exchange
	f.Request.RequestId = x.RequestID()
	if len(f.Request.RequestId) > maxRequestID {
		f.Request.RequestId = f.Request.RequestId[:maxRequestID]
	}
	x.SetModel(f.Request.GetModel())
	var broken error // of writing
	err := f.GPT.Forward(x.Context(), f.Request, func(piece *gptv1.ForwardResponse) error {
		if status := int(piece.GetStatus()); status != 0 && !x.Started() {
			passHeaders(x.Header(), piece.GetHeaders())
			x.WriteHeader(status)
		}
		if len(piece.GetData()) > 0 {
			broken = x.Send(piece.GetData())
		}
		return broken
	})
	switch {
	case broken != nil:
		x.SetFailure(broken)
	case err == nil:
	case !x.Started():
		if f.Instead != nil && f.Instead(err) {
			return
		}
		if f.Word != nil {
			err = f.Word(err)
		}
		x.Fail(err)
	default:
		f.late(x.Cause(err))
	}
}

// maxRequestID is the contract's bound.
const maxRequestID = 64

// late tells of an error behind the beginning of an answer.
func (f *Forwarding) late(err error) {
	x := f.Exchange
	x.SetFailure(err)
	if x.ClientGone() {
		return
	}
	if f.Late != nil {
		if piece := f.Late(x.Header().Get("Content-Type"), err); piece != nil {
			_ = x.Send(piece) // a client that left hears nothing
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// passHeaders writes a provider's headers, but for those that the edge has set
// itself.
func passHeaders(h http.Header, given map[string]string) {
	for name, v := range given {
		if key := http.CanonicalHeaderKey(name); h[key] == nil && printable(v) {
			h[key] = []string{v}
		}
	}
}
