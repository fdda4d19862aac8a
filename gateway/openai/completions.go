package openai

import (
	"fmt"
	"strconv"

	"github.com/gptmesh/gptmesh/gateway/answer"
	"github.com/gptmesh/gptmesh/gateway/edge"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	wireopenai "github.com/gptmesh/gptmesh/wire/openai"
)

// maxPrompts is how many prompts one request may have: each is a model call.
const maxPrompts = 16

// completions serves legacy completions.
func (f *face) completions(x *edge.Exchange) {
	if err := f.complete(x); err != nil {
		x.Fail(err)
	}
}

// complete answers, or returns why it cannot begin to.
func (f *face) complete(x *edge.Exchange) error {
	body, err := x.Body()
	if err != nil {
		return err
	}
	body, echo, err := wireopenai.TakeEcho(body)
	if err != nil {
		return err
	}
	bodies, prompts, err := wireopenai.SplitPrompts(body, maxPrompts)
	if err != nil {
		return err
	}
	requests := make([]*requestv1.SubmitRequest, 0, len(bodies))
	for _, one := range bodies {
		request, err := f.prompt(x, one)
		if err != nil {
			return err
		}
		requests = append(requests, request)
	}
	choices, err := choiceCount(bodies[0])
	if err != nil {
		return err
	}
	options := wire.AnswerOptions{IncludeUsage: wireopenai.AsksUsage(requests[0].Turn), Now: x.Now}
	if echo {
		// Whoever encodes puts the prompt first, so no provider's bytes can pass.
		options.Echo = func(choice int32) string { return prompts[min(int(choice/choices), len(prompts)-1)] }
	}
	for _, request := range requests {
		if echo || len(requests) > 1 {
			request.Turn.AcceptWire = conversationv1.Wire_WIRE_UNSPECIFIED
		}
	}
	if len(requests) == 1 {
		f.prompts.Answer(&answer.Turn{Exchange: x, Request: requests[0], Options: func() wire.AnswerOptions { return options }})
		return nil
	}
	if err := tellApart(requests, choices); err != nil {
		return err
	}
	f.prompts.AnswerSeveral(&answer.Several{Exchange: x, Requests: requests, Choices: choices, Options: options})
	return nil
}

// prompt reads a client's request with one prompt.
func (f *face) prompt(x *edge.Exchange, body []byte) (*requestv1.SubmitRequest, error) {
	request, err := answer.ReadTurnOf(x, wireopenai.Completions(), body)
	if err != nil {
		return nil, err
	}
	if deployment := x.Param(); deployment != "" {
		request.Turn.Model = deployment
	}
	x.SetModel(request.Turn.Model)
	return request, nil
}

// choiceCount is how many answers a body asks for.
func choiceCount(body []byte) (int32, error) {
	turn, err := wireopenai.Completions().DecodeTurn(body)
	if err != nil {
		return 0, err
	}
	return max(turn.GetSampling().GetChoiceCount(), 1), nil
}

// maxKey bounds an idempotency key; the contract's bound.
const maxKey = 255

// tellApart makes several turns of one request requests of their own.
func tellApart(requests []*requestv1.SubmitRequest, choices int32) error {
	if all := int(choices) * len(requests); all > wire.MaxChoices {
		return fault.InvalidField("n", fmt.Sprintf("asks for %d answers with these prompts; want %d at most", all, wire.MaxChoices))
	}
	for i, request := range requests {
		if request.SessionId != "" {
			return fault.InvalidField("prompt", "a session continues one prompt; send them one by one")
		}
		if request.IdempotencyKey == "" {
			continue
		}
		if request.IdempotencyKey += "#" + strconv.Itoa(i); len(request.IdempotencyKey) > maxKey {
			return fault.InvalidField("Idempotency-Key", "it is too long for several prompts")
		}
	}
	return nil
}

// fim serves Mistral's fill in the middle: asked like legacy completions,
// answered like chat completions.
func (f *face) fim(x *edge.Exchange) {
	body, err := x.Body()
	if err != nil {
		x.Fail(err)
		return
	}
	request, err := f.prompt(x, body)
	if err != nil {
		x.Fail(err)
		return
	}
	turn := request.Turn
	turn.AcceptWire = conversationv1.Wire_WIRE_OPENAI_CHAT
	f.submitter.Answer(&answer.Turn{Exchange: x, Request: request, Options: func() wire.AnswerOptions {
		return wire.AnswerOptions{IncludeUsage: wireopenai.AsksUsage(turn), Now: x.Now}
	}})
}
