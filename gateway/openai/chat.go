package openai

import (
	"github.com/gptmesh/gptmesh/gateway/answer"
	"github.com/gptmesh/gptmesh/gateway/edge"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/wire"
	wireopenai "github.com/gptmesh/gptmesh/wire/openai"
)

// chat serves chat completions.
func (f *face) chat(x *edge.Exchange) {
	request, err := f.request(x)
	if err != nil {
		x.Fail(err)
		return
	}
	turn := request.Turn
	x.SetModel(turn.Model)
	f.submitter.Answer(&answer.Turn{Exchange: x, Request: request, Options: func() wire.AnswerOptions {
		return wire.AnswerOptions{IncludeUsage: wireopenai.AsksUsage(turn), Now: x.Now}
	}})
}

// request reads a client's request.
func (f *face) request(x *edge.Exchange) (*requestv1.SubmitRequest, error) {
	request, err := answer.ReadTurn(x, f.codec)
	if err != nil {
		return nil, err
	}
	if deployment := x.Param(); deployment != "" {
		request.Turn.Model = deployment
	}
	return request, nil
}
