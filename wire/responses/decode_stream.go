package responses

import (
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/logprobs"
	"github.com/gptmesh/gptmesh/wire/internal/signer"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
)

// maxItems bounds the items of one answer.
const maxItems = 4096

// NewStreamDecoder implements wire.Codec. Items of kinds that the grammar has no
// event for (searches that the provider made itself) are passed over.
func (codec) NewStreamDecoder() wire.StreamDecoder {
	return &streamDecoder{items: make(map[int64]*openItem)}
}

// streamDecoder decodes one answer.
type streamDecoder struct {
	progress
	frame   frame
	items   map[int64]*openItem // by output index
	calls   int32
	refused bool
	content jsonbody.Halves
	refusal jsonbody.Halves
}

// openItem is what was given out of an item.
type openItem struct {
	call     int32 // its index, -1 where it is none
	given    bool  // some of its text
	length   int   // of the arguments
	summary  int64 // the part of the summary that was last
	reason   jsonbody.Halves
	arguing  jsonbody.Halves
	complete bool
	custom   bool // a call of a custom tool, whose text becomes arguments
}

// Decode implements wire.StreamDecoder.
func (d *streamDecoder) Decode(dst []*conversationv1.Event, data []byte) ([]*conversationv1.Event, error) {
	for len(data) > 0 && !d.failed && !d.done {
		var event wire.ServerEvent
		event, data = wire.NextServerEvent(data)
		if len(event.Data) == 0 || isDone(event.Data) {
			continue
		}
		if err := d.frame.scan(event.Data); err != nil {
			return dst, err
		}
		var err error
		if dst, err = d.event(dst); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (d *streamDecoder) event(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	f := &d.frame
	var a whole
	has := a.scan(f.body, f.members[atResponse])
	dst = d.begin(dst, &a)
	if f.fails() {
		return d.fail(dst, f), nil
	}
	switch f.kind {
	case "response.output_text.delta":
		return d.text(dst)
	case "response.refusal.delta":
		return d.declined(dst)
	case "response.reasoning_summary_text.delta", "response.reasoning_text.delta":
		return d.reasoning(dst)
	case "response.function_call_arguments.delta", "response.custom_tool_call_input.delta":
		return d.arguments(dst)
	case "response.output_item.added":
		return d.item(dst, false)
	case "response.output_item.done":
		return d.item(dst, true)
	case "response.completed", "response.incomplete":
		if !has {
			return dst, protocol("its end holds no response", nil)
		}
		return d.finish(dst, &a)
	}
	return dst, nil
}

// at is the item that the event is about.
func (d *streamDecoder) at() (*openItem, error) {
	index := d.frame.number(atOutputIndex)
	it := d.items[index]
	if it == nil {
		if len(d.items) == maxItems {
			return nil, protocol("too many items", nil)
		}
		it = &openItem{call: -1}
		d.items[index] = it
	}
	return it, nil
}

// delta is the text that the event adds.
func (d *streamDecoder) delta(h *jsonbody.Halves) (string, error) {
	f := &d.frame
	if f.members[atDelta].Kind != jsonscan.String {
		return "", protocol("a delta is not a string", nil)
	}
	return h.Text(f.body, f.members[atDelta])
}

func (d *streamDecoder) text(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	it, err := d.at()
	if err != nil {
		return dst, err
	}
	text, err := d.delta(&d.content)
	if err != nil {
		return dst, err
	}
	logprobs := logprobs.Decode(d.frame.body, d.frame.members[atLogprobs])
	if text == "" && len(logprobs) == 0 {
		return dst, nil
	}
	it.given = true
	return append(dst, textEvent(text, logprobs)), nil
}

func textEvent(text string, logprobs []*conversationv1.TokenLogprob) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Text: text, Logprobs: logprobs}}}
}

func refusalEvent(text string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Refusal{Refusal: &conversationv1.TextDelta{Text: text}}}
}

func reasoningEvent(delta *conversationv1.ReasoningDelta) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{Reasoning: delta}}
}

func callEvent(delta *conversationv1.ToolCallDelta) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ToolCall{ToolCall: delta}}
}

func (d *streamDecoder) declined(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	it, err := d.at()
	if err != nil {
		return dst, err
	}
	text, err := d.delta(&d.refusal)
	if err != nil || text == "" {
		return dst, err
	}
	it.given, d.refused = true, true
	return append(dst, refusalEvent(text)), nil
}

// reasoning joins the parts of a summary with an empty line.
func (d *streamDecoder) reasoning(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	it, err := d.at()
	if err != nil {
		return dst, err
	}
	text, err := d.delta(&it.reason)
	if err != nil || text == "" {
		return dst, err
	}
	if part := d.frame.number(atSummaryIndex); part > it.summary {
		it.summary = part
		if it.given {
			text = "\n\n" + text
		}
	}
	it.given = true
	return append(dst, reasoningEvent(&conversationv1.ReasoningDelta{Text: text})), nil
}

func (d *streamDecoder) arguments(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	it, err := d.at()
	if err != nil {
		return dst, err
	}
	if it.call < 0 {
		return dst, protocol("arguments of a call that was not begun", nil)
	}
	text, err := d.delta(&it.arguing)
	if err != nil || text == "" {
		return dst, err
	}
	it.length += len(text)
	if it.custom {
		text = texttool.Escape(text)
	}
	return append(dst, callEvent(&conversationv1.ToolCallDelta{Index: it.call, ArgumentsJson: text})), nil
}

// The members of an item, by position.
const (
	atItemType = iota
	atCallID
	atName
	atArguments
	atInputText
	atContent
	atSummary
	atEncrypted
	atNamespace
	itemMembers
)

var itemKeys = jsonscan.NewKeys("type", "call_id", "name", "arguments", "input", "content", "summary", "encrypted_content", "namespace")

// item decodes an item that begins, or is done. Of one that is done it gives out
// what was not streamed.
func (d *streamDecoder) item(dst []*conversationv1.Event, done bool) ([]*conversationv1.Event, error) {
	it, err := d.at()
	if err != nil {
		return dst, err
	}
	f := &d.frame
	if it.complete {
		return dst, nil
	}
	it.complete = done
	return d.decodeItem(dst, it, f.body, f.members[atItem], done)
}

// decodeItem decodes an item at a place of a body.
func (d *streamDecoder) decodeItem(dst []*conversationv1.Event, it *openItem, body []byte, at jsonscan.Member, done bool) ([]*conversationv1.Event, error) {
	var found [itemMembers]jsonscan.Member
	if at.Kind != jsonscan.Object {
		return dst, protocol("an item is not an object", nil)
	}
	if _, err := jsonscan.ScanObject(body, at.Value, itemKeys, found[:]); err != nil {
		return dst, protocol("an item cannot be read", err)
	}
	switch text(body, found[atItemType]) {
	case "function_call":
		return d.call(dst, it, body, found, found[atArguments], done)
	case "custom_tool_call":
		return d.call(dst, it, body, found, found[atInputText], done)
	case "message":
		if done && !it.given {
			return d.said(dst, body, found[atContent]), nil
		}
	case "reasoning":
		if done {
			return it.thought(dst, body, found), nil
		}
	}
	return dst, nil
}

func (d *streamDecoder) call(dst []*conversationv1.Event, it *openItem, body []byte, found [itemMembers]jsonscan.Member, arguments jsonscan.Member, done bool) ([]*conversationv1.Event, error) {
	whole := text(body, arguments)
	if it.call < 0 {
		id, name := text(body, found[atCallID]), text(body, found[atName])
		if id == "" || name == "" {
			return dst, protocol("a call has no call_id or no name", nil)
		}
		it.custom = text(body, found[atItemType]) == "custom_tool_call"
		it.call = d.calls
		d.calls++
		it.length = len(whole)
		if it.custom {
			whole = texttool.Opening + texttool.Escape(whole)
			if done {
				whole += texttool.Closing
			}
		}
		return append(dst, callEvent(&conversationv1.ToolCallDelta{
			Index: it.call, Id: id, Name: flatName(text(body, found[atNamespace]), name), ArgumentsJson: whole,
		})), nil
	}
	if !done {
		return dst, nil
	}
	rest := ""
	if it.length == 0 {
		rest = whole
	}
	it.length += len(rest)
	if it.custom {
		rest = texttool.Escape(rest) + texttool.Closing
	}
	if rest != "" {
		dst = append(dst, callEvent(&conversationv1.ToolCallDelta{Index: it.call, ArgumentsJson: rest}))
	}
	return dst, nil
}

var saidKeys = jsonscan.NewKeys("type", "text", "refusal", "logprobs")

// said gives out the parts of a message.
func (d *streamDecoder) said(dst []*conversationv1.Event, body []byte, content jsonscan.Member) []*conversationv1.Event {
	if content.Kind != jsonscan.Array {
		return dst
	}
	// The body was scanned: what can fail is the form of a part alone.
	_ = jsonscan.ForEachElement(body, content.Value, func(m jsonscan.Member) bool {
		var found [4]jsonscan.Member
		if _, err := jsonscan.ScanObject(body, m.Value, saidKeys, found[:]); err != nil {
			return true
		}
		logprobs := logprobs.Decode(body, found[3])
		if said := text(body, found[1]); said != "" || len(logprobs) > 0 {
			dst = append(dst, textEvent(said, logprobs))
		}
		if declined := text(body, found[2]); declined != "" {
			d.refused = true
			dst = append(dst, refusalEvent(declined))
		}
		return true
	})
	return dst
}

// thought gives out a block's text, where it was not streamed, and what ends it.
func (it *openItem) thought(dst []*conversationv1.Event, body []byte, found [itemMembers]jsonscan.Member) []*conversationv1.Event {
	if !it.given {
		var all []string
		for _, at := range [...]int{atContent, atSummary} {
			if found[at].Kind != jsonscan.Array || len(all) > 0 {
				continue
			}
			_ = jsonscan.ForEachElement(body, found[at].Value, func(m jsonscan.Member) bool {
				var inside [4]jsonscan.Member
				if _, err := jsonscan.ScanObject(body, m.Value, saidKeys, inside[:]); err == nil && text(body, inside[1]) != "" {
					all = append(all, text(body, inside[1]))
				}
				return true
			})
		}
		if len(all) > 0 {
			dst = append(dst, reasoningEvent(&conversationv1.ReasoningDelta{Text: strings.Join(all, "\n\n")}))
		}
	}
	encrypted := text(body, found[atEncrypted])
	if redacted, ok := strings.CutPrefix(encrypted, redactedMark); ok && redacted != "" {
		return append(dst, reasoningEvent(&conversationv1.ReasoningDelta{Redacted: redacted}))
	}
	if encrypted != "" {
		dst = append(dst, reasoningEvent(&conversationv1.ReasoningDelta{Signature: signer.OpenAI.Read(encrypted)}))
	}
	return dst
}

// finish appends the end of the choice and the count of tokens.
func (d *streamDecoder) finish(dst []*conversationv1.Event, a *whole) ([]*conversationv1.Event, error) {
	d.done = true
	if text := d.content.End(); text != "" {
		dst = append(dst, textEvent(text, nil))
	}
	if text := d.refusal.End(); text != "" {
		dst = append(dst, refusalEvent(text))
	}
	dst = append(dst, &conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{
		Reason: a.reason(d.calls > 0, d.refused),
	}}})
	if usage := a.usage(); usage != nil {
		dst = append(dst, usageEvent(usage))
	}
	return dst, nil
}

// End implements wire.StreamDecoder.
func (d *streamDecoder) End(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	if d.failed {
		return dst, nil
	}
	if !d.done {
		return dst, truncated()
	}
	return append(dst, &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}}), nil
}

// DecodeAnswer implements wire.Codec. A body that tells of an error is started
// and failed.
func (codec) DecodeAnswer(body []byte) ([]*conversationv1.Event, error) {
	d := streamDecoder{items: make(map[int64]*openItem)}
	if _, err := jsonscan.Scan(body, answerKeys, nil); err != nil {
		return nil, protocol("the answer is not a JSON object", err)
	}
	var a whole
	a.scan(body, jsonscan.Member{Kind: jsonscan.Object, Value: jsonscan.Span{End: len(body)}})
	events := d.begin(nil, &a)
	switch status := text(body, a.members[atStatus]); {
	case status == failed, status == cancelled, status == "" && a.members[atFailure].Kind == jsonscan.Object:
		if usage := a.usage(); usage != nil {
			events = append(events, usageEvent(usage))
		}
		return append(events, failedEvent(a.failure())), nil
	case status == queued, status == inProgress:
		return nil, protocol("the answer is not whole", nil)
	}
	if a.members[atOutput].Kind != jsonscan.Array {
		return nil, protocol("the answer has no output", nil)
	}
	var failed error
	index := int64(0)
	err := jsonscan.ForEachElement(body, a.members[atOutput].Value, func(m jsonscan.Member) bool {
		events, failed = d.decodeItem(events, &openItem{call: -1}, body, m, true)
		index++
		return failed == nil && index < maxItems
	})
	if failed == nil && err != nil {
		failed = protocol("output cannot be read", err)
	}
	if failed != nil {
		return nil, failed
	}
	if events, failed = d.finish(events, &a); failed != nil {
		return nil, failed
	}
	return d.End(events)
}
