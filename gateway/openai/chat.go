package openai

import (
	"github.com/gptmesh/gptmesh/gateway/answer"
	"github.com/gptmesh/gptmesh/gateway/edge"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
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
	body, err := x.Body()
	if err != nil {
		return nil, err
	}
	body, session, err := takeSession(body)
	if err != nil {
		return nil, err
	}
	turn, err := f.codec.ScanTurn(body)
	if err != nil {
		return nil, err
	}
	if deployment := x.Param(); deployment != "" {
		turn.Model = deployment
	}
	request := &requestv1.SubmitRequest{Turn: turn, WireBounds: turn.AcceptWire}
	if err := answer.ReadHeaders(x.Request().Header, request); err != nil {
		return nil, err
	}
	if session != "" {
		if request.SessionId != "" && request.SessionId != session {
			return nil, fault.InvalidField(sessionField, "the header x-gptmesh-session names another session")
		}
		request.SessionId = session
	}
	return request, nil
}
