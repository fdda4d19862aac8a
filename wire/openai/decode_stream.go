package openai

import (
	"sync"
	"unsafe"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/alike"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// NewStreamDecoder implements wire.Codec. A choice's end is held back until the
// end of the stream, because some providers go on behind a finish_reason; usage
// is given out once per Decode. finish_time is left to the caller.
func (chat) NewStreamDecoder() wire.StreamDecoder { return decoders.Get().(*streamDecoder) }

// streamDecoder decodes one answer.
type streamDecoder struct {
	progress
	chunk   chunk
	choices []*choiceDecoder // by index; nil where none was seen
	first   choiceDecoder    // most answers have no other
	only    [1]*choiceDecoder
	seed    seed // what invented ids of calls follow from
	kept    bool // the body does not change any more

	join bool           // see Join
	of   *choiceDecoder // whose text is held
	text *[]byte        // of texts, or lent: that of deltas that follow each other; nil for none
	lent *[]byte        // see Lend; nil for none, and once a text that was given out lies in it
	room []byte         // for a text that is unescaped
	twin alike.Event    // the last event, where it held nothing but such a text
	like alike.Texts    // of those that were like it

	lessons int // how often an event was kept to know others by it, since one was known
}

// Join makes the decoder give out the text of deltas that follow each other as
// one, when something else comes or at the end: for whoever wants the answer
// and not its pieces. It must be called before Decode.
func (d *streamDecoder) Join() { d.join = true }

// Lend makes the first text that is given out lie in *room, which grows where it must: the
// text is good until somebody else uses that. It must be called before Decode.
func (d *streamDecoder) Lend(room *[]byte) { d.lent = room }

// LendEvents implements wire.Lender.
func (d *streamDecoder) LendEvents() { d.like.Lend() }

// Release gives the decoder's memory to others: it must not be used any more. What it
// gave out stays.
func (d *streamDecoder) Release() {
	d.drop()
	d.twin.Forget()
	d.like.Forget()
	*d = streamDecoder{room: d.room[:0], twin: d.twin, like: d.like}
	decoders.Put(d)
}

// drop lets go of the text that is held.
func (d *streamDecoder) drop() {
	if d.text != nil && d.text != d.lent && cap(*d.text) <= maxText {
		*d.text = (*d.text)[:0]
		texts.Put(d.text)
	}
	d.text = nil
}

// texts are buffers for texts that are held.
var texts = sync.Pool{New: func() any { return new([]byte) }}

// maxText is the largest of them that is kept.
const maxText = 256 << 10

// held is the text that is held, to be added to.
func (d *streamDecoder) held() *[]byte {
	if d.text == nil && d.lent != nil {
		*d.lent = (*d.lent)[:0]
		d.text = d.lent
	}
	if d.text == nil {
		d.text = texts.Get().(*[]byte)
	}
	return d.text
}

// joined appends the text that is held.
func (d *streamDecoder) joined(dst []*conversationv1.Event) []*conversationv1.Event {
	if d.text == nil || len(*d.text) == 0 {
		d.drop()
		return dst
	}
	var text string
	if d.text == d.lent {
		text = unsafe.String(unsafe.SliceData(*d.text), len(*d.text))
		d.text, d.lent = nil, nil
	} else {
		text = string(*d.text)
		d.drop()
	}
	return append(dst, &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Choice: d.of.index, Text: text}}})
}

// onlyText says that a delta holds a whole text and nothing beside it.
func onlyText(body []byte, s *choiceDecoder, room *[deltaMembers]jsonscan.Member, logprobs jsonscan.Member) bool {
	content := room[atContent]
	if content.Kind != jsonscan.String || logprobs.Kind == jsonscan.Object || s.content.Held() {
		return false
	}
	for i := range room {
		if i != atContent && room[i].Kind != jsonscan.Absent && room[i].Kind != jsonscan.Null {
			return false
		}
	}
	return !jsonbody.EndsInHalf(body[content.Value.Start+1 : content.Value.End-1])
}

// choiceDecoder is the state of one choice.
type choiceDecoder struct {
	index                    int32
	made                     *eventRoom // the answer's
	ending                   ending
	stopSequence             string
	plainReasoning           bool // reasoning came as plain text
	content, reason, refusal jsonbody.Halves
	calls                    callDecoder
}

// Decode implements wire.StreamDecoder.
func (d *streamDecoder) Decode(dst []*conversationv1.Event, data []byte) ([]*conversationv1.Event, error) {
	d.like.Back()
	for !d.failed && !d.done {
		if d.join {
			data = d.twin.Take(d.held(), data)
		} else if d.twin.Known {
			count := 0
			if dst, data, count = d.like.Decode(dst, &d.twin, d.of.index, data); count > 0 {
				d.lessons = 0
			}
		}
		if len(data) == 0 {
			break
		}
		var event wire.ServerEvent
		event, data = wire.NextServerEvent(data)
		if len(event.Data) == 0 {
			continue
		}
		var err error
		if dst, err = d.event(dst, event); err != nil {
			return dst, err
		}
	}
	return d.giveUsage(dst), nil
}

func (d *streamDecoder) event(dst []*conversationv1.Event, event wire.ServerEvent) ([]*conversationv1.Event, error) {
	if isDone(event.Data) {
		d.done = true
		return dst, nil
	}
	d.twin.Known = false
	if err := d.chunk.scan(event.Data); err != nil {
		return dst, err
	}
	return d.body(dst, string(event.Name) == "error")
}

// body decodes one chunk, or a whole answer.
func (d *streamDecoder) body(dst []*conversationv1.Event, isError bool) ([]*conversationv1.Event, error) {
	c := &d.chunk
	if !d.started {
		if !isError && !c.begins() {
			return dst, nil
		}
		d.started = true
		event, started := c.started(d.made)
		d.seed = seed{id: started.ProviderResponseId, created: started.GetCreateTime().GetSeconds(), model: started.Model}
		dst = append(dst, event)
	}
	if usage := c.findUsage(); usage != nil {
		d.usage = usage
	}
	if isError || c.fails() {
		return d.fail(d.joined(dst), providerError(c.body, 0)), nil
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

func (d *streamDecoder) choice(dst []*conversationv1.Event, m jsonscan.Member) ([]*conversationv1.Event, error) {
	var c choice
	if err := c.scan(d.chunk.body, m); err != nil {
		return dst, err
	}
	state := d.state(c.index)
	if c.members[atChoiceUsage].Kind == jsonscan.Object && d.usage == nil { // Moonshot
		d.usage = decodeUsage(c.body, c.members[atChoiceUsage])
	}
	delta := c.members[atDelta]
	if delta.Kind != jsonscan.Object {
		delta = c.members[atMessage]
	}
	if delta.Kind == jsonscan.Object {
		var err error
		if dst, err = d.delta(dst, state, delta, c.members[atChoiceLogprobs]); err != nil {
			return dst, err
		}
	}
	ending, ends := c.ending()
	d.twin.Known = d.twin.Known && !ends && d.lone(c)
	switch {
	case !ends:
		return dst, nil
	case ending.broken:
		return d.fail(d.joined(dst), gaveUp()), nil
	}
	d.ended.add(c.index)
	state.ending, state.stopSequence = ending, c.stopSequence(ending)
	return dst, nil
}

func (d *streamDecoder) state(index int64) *choiceDecoder {
	d.seen.add(index)
	if d.choices == nil {
		d.choices = d.only[:0]
	}
	for int64(len(d.choices)) <= index {
		d.choices = append(d.choices, nil)
	}
	if d.choices[index] == nil {
		state := &d.first
		if index > 0 {
			state = new(choiceDecoder)
		}
		state.index, state.made = int32(index), d.made
		state.content.Kept, state.reason.Kept = d.kept, d.kept
		state.calls = callDecoder{choice: state.index, seed: &d.seed}
		d.choices[index] = state
	}
	return d.choices[index]
}

// The members of a delta, or of a message, by position.
const (
	atContent = iota
	atRefusal
	atReasoningContent
	atReasoning
	atReasoningDetails
	atToolCalls
	atLegacyCall
	deltaMembers
)

var deltaKeys = jsonscan.NewKeys("content", "refusal", "reasoning_content", "reasoning", "reasoning_details", "tool_calls", "function_call")

func (d *streamDecoder) delta(dst []*conversationv1.Event, s *choiceDecoder, at, logprobs jsonscan.Member) ([]*conversationv1.Event, error) {
	body := d.chunk.body
	var room [deltaMembers]jsonscan.Member
	if _, err := jsonscan.ScanObject(body, at.Value, deltaKeys, room[:]); err != nil {
		return dst, protocol("a delta cannot be read", err)
	}
	var err error
	only := (d.join || d.lessons < alike.MaxLessons) && onlyText(body, s, &room, logprobs)
	if d.join {
		if !only || d.of != s {
			dst, d.of = d.joined(dst), s
		}
		if only {
			d.room, err = room[atContent].AppendText(d.room[:0], body)
			text := d.held()
			*text = append(*text, d.room...)
			d.twin.Learn(twinLead, body, room[atContent].Value.Start+1, room[atContent].Value.End-1)
			return dst, err
		}
	}
	if dst, err = s.reasoning(dst, body, &room); err != nil {
		return dst, err
	}
	var ofContent, ofRefusal []*conversationv1.TokenLogprob
	if logprobs.Kind == jsonscan.Object {
		ofContent, ofRefusal = decodeLogprobs(body, logprobs)
	}
	if room[atContent].Kind == jsonscan.Array { // Mistral
		if dst, err = s.pieces(dst, body, room[atContent]); err != nil {
			return dst, err
		}
		room[atContent] = jsonscan.Member{}
	}
	text, err := optionalText(&s.content, body, room[atContent])
	if err != nil {
		return dst, err
	}
	if text != "" || len(ofContent) > 0 {
		dst = append(dst, s.made.textEvent(s.index, text, ofContent))
	}
	if only {
		d.lessons, d.of = d.lessons+1, s
		d.twin.Learn(twinLead, body, room[atContent].Value.Start+1, room[atContent].Value.End-1)
		return dst, nil
	}
	if text, err = optionalText(&s.refusal, body, room[atRefusal]); err != nil {
		return dst, err
	}
	if text != "" || len(ofRefusal) > 0 {
		dst = append(dst, &conversationv1.Event{Kind: &conversationv1.Event_Refusal{Refusal: &conversationv1.TextDelta{
			Choice: s.index, Text: text, Logprobs: ofRefusal,
		}}})
	}
	if room[atToolCalls].Kind == jsonscan.Array {
		if dst, err = s.calls.decode(dst, body, room[atToolCalls]); err != nil {
			return dst, err
		}
	}
	if room[atLegacyCall].Kind == jsonscan.Object {
		return s.calls.legacy(dst, body, room[atLegacyCall])
	}
	return dst, nil
}

// optionalText is the text of a member that may be null or absent.
func optionalText(h *jsonbody.Halves, body []byte, m jsonscan.Member) (string, error) {
	switch m.Kind {
	case jsonscan.Absent, jsonscan.Null:
		return "", nil
	case jsonscan.String:
		return h.Text(body, m)
	}
	return "", protocol("a text is not a string", nil)
}

// reasoning decodes what the model thinks, by the first of the names it goes
// by. Where a provider gives blocks beside the text, they add signatures.
func (s *choiceDecoder) reasoning(dst []*conversationv1.Event, body []byte, room *[deltaMembers]jsonscan.Member) ([]*conversationv1.Event, error) {
	text := ""
	for _, i := range [...]int{atReasoningContent, atReasoning} {
		if text != "" || room[i].Kind != jsonscan.String {
			continue
		}
		var err error
		if text, err = s.reason.Text(body, room[i]); err != nil {
			return dst, protocol("a text is not a string", err)
		}
	}
	if text != "" {
		s.plainReasoning = true
		dst = append(dst, reasoningEvent(&conversationv1.ReasoningDelta{Choice: s.index, Text: text}))
	}
	if room[atReasoningDetails].Kind != jsonscan.Array {
		return dst, nil
	}
	err := jsonscan.ForEachElement(body, room[atReasoningDetails].Value, func(m jsonscan.Member) bool {
		b, known := readBlock(body, m)
		if !known {
			return true
		}
		if s.plainReasoning {
			b.text = "" // It is the same once more.
		}
		if b.text != "" || b.signature != "" || b.redacted != "" {
			dst = append(dst, reasoningEvent(&conversationv1.ReasoningDelta{
				Choice: s.index, Text: b.text, Signature: b.signature, Redacted: b.redacted,
			}))
		}
		return true
	})
	if err != nil {
		return dst, protocol("reasoning_details cannot be read", err)
	}
	return dst, nil
}

func reasoningEvent(delta *conversationv1.ReasoningDelta) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{Reasoning: delta}}
}

// End implements wire.StreamDecoder.
func (d *streamDecoder) End(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	if d.failed {
		return dst, nil
	}
	dst = d.joined(dst)
	if !d.whole() {
		return dst, truncated()
	}
	if !d.started {
		d.started = true
		dst = append(dst, &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{}}})
	}
	for _, state := range d.choices {
		if state == nil {
			continue
		}
		var err error
		if dst, err = state.end(dst); err != nil {
			return dst, err
		}
	}
	dst = d.giveUsage(dst)
	return append(dst, d.made.finishedEvent()), nil
}

// end appends what was held back of a choice, and its end. Providers that say
// "stop" with tool calls mean that they wait for the results.
func (s *choiceDecoder) end(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	if text := s.reason.End(); text != "" {
		dst = append(dst, reasoningEvent(&conversationv1.ReasoningDelta{Choice: s.index, Text: text}))
	}
	if text := s.content.End(); text != "" {
		dst = append(dst, s.made.textEvent(s.index, text, nil))
	}
	if text := s.refusal.End(); text != "" {
		dst = append(dst, &conversationv1.Event{Kind: &conversationv1.Event_Refusal{Refusal: &conversationv1.TextDelta{Choice: s.index, Text: text}}})
	}
	dst, err := s.calls.end(dst)
	if err != nil {
		return dst, err
	}
	reason := s.ending.reason
	if s.calls.begun > 0 && (reason == conversationv1.FinishReason_FINISH_REASON_STOP || reason == conversationv1.FinishReason_FINISH_REASON_UNSPECIFIED) {
		reason = conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS
	}
	return append(dst, s.made.choiceFinishedEvent(s.index, reason, s.stopSequence)), nil
}

// decoders are those that may be used again. What they give out is not theirs.
var decoders = sync.Pool{New: func() any { return new(streamDecoder) }}

// DecodeAnswer implements wire.Codec. A body that tells of an error is started
// and failed.
func (chat) DecodeAnswer(body []byte) ([]*conversationv1.Event, error) {
	return decodeAnswer(body, false)
}

// DecodeKept implements wire.KeptDecoder.
func (chat) DecodeKept(body []byte) ([]*conversationv1.Event, error) { return decodeAnswer(body, true) }

func decodeAnswer(body []byte, kept bool) ([]*conversationv1.Event, error) {
	d := decoders.Get().(*streamDecoder)
	defer d.Release()
	d.done, d.kept, d.made = true, kept, new(eventRoom)
	if err := d.chunk.scan(body); err != nil {
		return nil, err
	}
	if !d.chunk.fails() && d.chunk.members[atChoices].Kind != jsonscan.Array {
		return nil, protocol("the answer has no choices", nil)
	}
	events, err := d.body(d.made.events[:0], false)
	if err != nil {
		return nil, err
	}
	if d.failed {
		return events, nil
	}
	return d.End(events)
}
