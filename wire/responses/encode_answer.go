package responses

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// EncodeAnswer implements wire.Codec. An answer with a failure is returned as
// that error; EncodeStored has a form for it.
func (c codec) EncodeAnswer(answer *wire.Answer, options wire.AnswerOptions) ([]byte, error) {
	if answer.Failure != nil {
		return nil, wire.Fault(answer.Failure)
	}
	return encode(answer, c.echo, options)
}

// EncodeStored encodes an answer in any state, as it is asked for again:
// completed, incomplete, failed, cancelled, or in progress where it has neither
// ended nor failed.
func EncodeStored(answer *wire.Answer, echo *Echo, options wire.AnswerOptions) ([]byte, error) {
	return encode(answer, echo, options)
}

// EncodeQueued encodes an answer that nobody has begun. id and created are
// those of options.
func EncodeQueued(echo *Echo, options wire.AnswerOptions) []byte {
	o := object{echo: echo, status: queued}
	o.identify(nil, options)
	var w writer
	o.write(&w)
	return w.B
}

func encode(answer *wire.Answer, echo *Echo, options wire.AnswerOptions) ([]byte, error) {
	o := object{echo: echo, usage: answer.Usage, status: inProgress, open: incomplete, finished: answer.FinishedAt}
	o.identify(answer.Started, options)
	out := output{id: o.id, echo: echo}
	var reason conversationv1.FinishReason
	for i := range answer.Choices {
		choice := &answer.Choices[i]
		if choice.Index != 0 {
			continue // The dialect has one answer to a turn.
		}
		reason = choice.FinishReason
		for _, part := range choice.Message.GetParts() {
			if err := out.addPart(part); err != nil {
				return nil, err
			}
		}
		out.spread(choice.Logprobs)
	}
	o.items = out.items
	switch {
	case answer.Failure != nil:
		o.fail(answer.Failure)
	case answer.Finished:
		o.finish(reason)
	}
	w := writer{jsonbody.Writer{B: make([]byte, 0, 2048)}}
	o.write(&w)
	return w.B, nil
}

// spread gives the first text its log probabilities: where several texts share
// them, nobody knows any more whose is which.
func (o *output) spread(logprobs []*conversationv1.TokenLogprob) {
	for _, it := range o.items {
		for _, part := range it.parts {
			if !part.refusal {
				part.logprobs = logprobs
				return
			}
		}
	}
}
