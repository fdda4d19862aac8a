package anthropic

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

var answerKeys = jsonscan.NewKeys("type", "id", "model", "content", "stop_reason", "stop_sequence", "usage", "error")

// DecodeAnswer implements wire.Codec.
func (codec) DecodeAnswer(body []byte) ([]*conversationv1.Event, error) {
	at, err := jsonscan.Scan(body, answerKeys, nil)
	if err != nil {
		return nil, protocol("an answer that is not a JSON object", err)
	}
	d := &streamDecoder{}
	if textOf(at[0], body) == "error" || at[7].Kind == jsonscan.Object {
		d.at[atError] = at[7]
		return d.fail(nil, body), nil
	}
	if at[3].Kind != jsonscan.Array {
		return nil, protocol("an answer without content", nil)
	}
	d.started, d.done = true, true
	events := []*conversationv1.Event{startedEvent(&conversationv1.Started{
		ProviderResponseId: textOf(at[1], body), Model: textOf(at[2], body),
	})}
	var failed error
	index := int64(0)
	err = jsonscan.ForEachElement(body, at[3].Value, func(m jsonscan.Member) bool {
		// A whole block reads like the start of one that has no deltas.
		d.at[atContentBlock] = m
		d.blocks = nil
		if events, failed = d.blockStart(events, body); failed == nil {
			events = d.blockStop(events, index)
		}
		return failed == nil
	})
	switch {
	case failed != nil:
		return nil, failed
	case err != nil:
		return nil, protocol("content that cannot be read", err)
	}
	d.stop, d.sequence = textOf(at[4], body), textOf(at[5], body)
	events = append(events, choiceFinishedEvent(d.choiceFinished()))
	if d.tally.read(body, at[6]); d.tally.given {
		events = append(events, usageEvent(d.tally.usage()))
	}
	return d.end(events)
}
