package anthropic

import (
	"github.com/gptmesh/gptmesh/gateway/answer"
	"github.com/gptmesh/gptmesh/gateway/edge"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/wire"
)

// messages serves /v1/messages.
func (f *face) messages(x *edge.Exchange) {
	request, err := f.request(x)
	if err != nil {
		x.Fail(err)
		return
	}
	x.SetModel(request.Turn.Model)
	count := f.counter.begin(x.Context(), request.Turn)
	f.submitter.Answer(&answer.Turn{
		Exchange: x, Request: request,
		Options: func() wire.AnswerOptions {
			return wire.AnswerOptions{InputTokens: count.take(), RequestID: x.RequestID(), Now: x.Now}
		},
		Rewrite: func(_, data []byte, _ string) []byte {
			count.spare()
			return data
		},
	})
	if x.Started() && count.running() {
		x.Flush() // the answer does not wait for a count that nobody needs any more
	}
	count.end()
}

// request reads a client's request.
func (f *face) request(x *edge.Exchange) (*requestv1.SubmitRequest, error) {
	request, err := answer.ReadTurn(x, f.codec)
	if err != nil {
		return nil, err
	}
	if request.Turn.Raw.Headers, err = dialectHeaders(x.Request().Header); err != nil {
		return nil, err
	}
	setUser(request)
	return request, nil
}
