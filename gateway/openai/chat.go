package openai

import (
	"github.com/gptmesh/gptmesh/gateway/answer"
	"github.com/gptmesh/gptmesh/gateway/edge"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/wire"
	wireopenai "github.com/gptmesh/gptmesh/wire/openai"
	"github.com/gptmesh/gptmesh/wire/responses"
)

// chat serves chat completions.
func (f *face) chat(x *edge.Exchange) {
	body, err := x.Borrow()
	if err != nil {
		x.Fail(err)
		return
	}
	request, usage, err := f.request(x, body)
	if err != nil {
		x.Fail(err)
		return
	}
	if deployment := x.Param(); deployment != "" {
		request.Turn.Model = deployment
	}
	x.SetModel(request.Turn.Model)
	client := clientOf(x.Request().Header)
	turn := &answer.Turn{Exchange: x, Request: request, Options: func() wire.AnswerOptions {
		return wire.AnswerOptions{
			IncludeUsage: usage.asked(), UsageBeside: client.usage, WholeCalls: client.wholeCalls, GroqUsage: client.groqUsage,
			Reasoning: client.reasoning || client.wholeReasoning, OpenRouter: client.openRouter, TextTools: wireopenai.TextTools(usage.turn), Now: x.Now,
		}
	}}
	switch stream := request.Turn.GetStream(); {
	case stream && client.strange():
		// What OpenAI's own servers send does not suit it either.
		request.Turn.AcceptWire = conversationv1.Wire_WIRE_UNSPECIFIED
	case !stream && (client.reasoning || client.wholeReasoning):
		turn.Rewrite = func(dst, body []byte, _ string) []byte { return wireopenai.AddReasoning(dst, body) }
	}
	f.submitter.Answer(turn)
}

// request reads a client's request: a body of chat completions, or one that
// /v1/responses would get. Cursor sends these here, and reads chunks of chat
// completions.
func (f *face) request(x *edge.Exchange, body []byte) (request *requestv1.SubmitRequest, usage usageWish, err error) {
	request, err = answer.ReadTurnOf(x, f.codec, body)
	if err == nil {
		return request, usageWish{turn: request.Turn}, nil
	}
	if !wireopenai.IsResponsesBody(body) {
		return nil, usage, err
	}
	body = x.Keep(body)
	if request, err = answer.ReadTurnOf(x, responses.Codec(), body); err != nil {
		return nil, usage, err
	}
	// Only what the mesh encodes itself suits a client that asks in one dialect
	// and reads another.
	request.Turn.AcceptWire = conversationv1.Wire_WIRE_UNSPECIFIED
	usage.turn = &conversationv1.Turn{Raw: &conversationv1.RawTurn{Wire: f.codec.Wire(), Body: body}}
	return request, usage, nil
}

// usageWish tells whether a client wants the count of tokens in its stream. Few
// answers need to know.
type usageWish struct {
	turn *conversationv1.Turn // as the client wrote it
}

func (w usageWish) asked() bool { return wireopenai.AsksUsage(w.turn) }
