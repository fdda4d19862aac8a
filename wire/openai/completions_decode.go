package openai

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// NewStreamDecoder implements wire.Codec. Reasoning is read as OpenRouter writes
// it, beside the text. For the rest it is like that of chat completions.
func (completions) NewStreamDecoder() wire.StreamDecoder { return &textDecoder{} }

// textDecoder decodes one answer.
type textDecoder struct {
	progress
	chunk   chunk
	choices []*textChoice // by index; nil where none was seen
}

// textChoice is the state of one choice.
type textChoice struct {
	index        int32
	ending       ending
	stopSequence string
	text, reason jsonbody.Halves
}

// Decode implements wire.StreamDecoder.
func (d *textDecoder) Decode(dst []*conversationv1.Event, data []byte) ([]*conversationv1.Event, error) {
	for len(data) > 0 && !d.failed && !d.done {
		var event wire.ServerEvent
		event, data = wire.NextServerEvent(data)
		switch {
		case len(event.Data) == 0:
			continue
		case isDone(event.Data):
			d.done = true
			continue
		}
		if err := d.chunk.scan(event.Data); err != nil {
			return dst, err
		}
		var err error
		if dst, err = d.body(dst, string(event.Name) == "error"); err != nil {
			return dst, err
		}
	}
	return d.giveUsage(dst), nil
}

// body decodes one chunk, or a whole answer.
func (d *textDecoder) body(dst []*conversationv1.Event, isError bool) ([]*conversationv1.Event, error) {
	c := &d.chunk
	if !d.started {
		if !isError && !c.begins() {
			return dst, nil
		}
		d.started = true
		event, _ := c.started(nil)
		dst = append(dst, event)
	}
	if usage := c.findUsage(); usage != nil {
		d.usage = usage
	}
	if isError || c.fails() {
		return d.fail(dst, providerError(c.body, 0)), nil
	}
	if c.members[atChoices].Kind != jsonscan.Array {
		return dst, nil
	}
	var failed error
	err := jsonscan.ForEachElement(c.body, c.members[atChoices].Value, func(m jsonscan.Member) bool {
		dst, failed = d.choice(dst, m)
		return failed == nil && !d.failed
	})
	if failed == nil && err != nil {
		failed = protocol("choices cannot be read", err)
	}
	return dst, failed
}

var textKeys = jsonscan.NewKeys("text", "reasoning_content", "reasoning", "logprobs")

func (d *textDecoder) choice(dst []*conversationv1.Event, m jsonscan.Member) ([]*conversationv1.Event, error) {
	var c choice
	if err := c.scan(d.chunk.body, m); err != nil {
		return dst, err
	}
	state := d.state(c.index)
	if c.members[atChoiceUsage].Kind == jsonscan.Object && d.usage == nil {
		d.usage = decodeUsage(c.body, c.members[atChoiceUsage])
	}
	var err error
	if dst, err = state.delta(dst, c.body, m); err != nil {
		return dst, err
	}
	ending, ends := c.ending()
	switch {
	case !ends:
		return dst, nil
	case ending.broken:
		return d.fail(dst, gaveUp()), nil
	}
	d.ended.add(c.index)
	state.ending, state.stopSequence = ending, c.stopSequence(ending)
	return dst, nil
}

func (d *textDecoder) state(index int64) *textChoice {
	d.seen.add(index)
	for int64(len(d.choices)) <= index {
		d.choices = append(d.choices, nil)
	}
	if d.choices[index] == nil {
		d.choices[index] = &textChoice{index: int32(index)}
	}
	return d.choices[index]
}

func (s *textChoice) delta(dst []*conversationv1.Event, body []byte, at jsonscan.Member) ([]*conversationv1.Event, error) {
	var found [4]jsonscan.Member
	if _, err := jsonscan.ScanObject(body, at.Value, textKeys, found[:]); err != nil {
		return dst, protocol("a choice cannot be read", err)
	}
	for _, m := range found[1:3] {
		if m.Kind != jsonscan.String {
			continue
		}
		text, err := s.reason.Text(body, m)
		if err != nil {
			return dst, protocol("a text is not a string", err)
		}
		if text != "" {
			dst = append(dst, reasoningEvent(&conversationv1.ReasoningDelta{Choice: s.index, Text: text}))
		}
		break
	}
	text, err := optionalText(&s.text, body, found[0])
	if err != nil {
		return dst, err
	}
	logprobs := decodeTextLogprobs(body, found[3])
	if text != "" || len(logprobs) > 0 {
		dst = append(dst, &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{
			Choice: s.index, Text: text, Logprobs: logprobs,
		}}})
	}
	return dst, nil
}

// End implements wire.StreamDecoder.
func (d *textDecoder) End(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	if d.failed {
		return dst, nil
	}
	if !d.whole() {
		return dst, truncated()
	}
	if !d.started {
		d.started = true
		dst = append(dst, &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{}}})
	}
	for _, state := range d.choices {
		if state != nil {
			dst = state.end(dst)
		}
	}
	dst = d.giveUsage(dst)
	return append(dst, &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}}), nil
}

// end appends what was held back of a choice, and its end.
func (s *textChoice) end(dst []*conversationv1.Event) []*conversationv1.Event {
	if text := s.reason.End(); text != "" {
		dst = append(dst, reasoningEvent(&conversationv1.ReasoningDelta{Choice: s.index, Text: text}))
	}
	if text := s.text.End(); text != "" {
		dst = append(dst, &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Choice: s.index, Text: text}}})
	}
	return append(dst, &conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{
		Choice: s.index, Reason: s.ending.reason, StopSequence: s.stopSequence,
	}}})
}

// DecodeAnswer implements wire.Codec. A body that tells of an error is started
// and failed.
func (completions) DecodeAnswer(body []byte) ([]*conversationv1.Event, error) {
	d := textDecoder{}
	d.done = true
	if err := d.chunk.scan(body); err != nil {
		return nil, err
	}
	if !d.chunk.fails() && d.chunk.members[atChoices].Kind != jsonscan.Array {
		return nil, protocol("the answer has no choices", nil)
	}
	events, err := d.body(nil, false)
	if err != nil || d.failed {
		return events, err
	}
	return d.End(events)
}
