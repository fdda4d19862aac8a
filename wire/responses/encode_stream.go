package responses

import (
	"strconv"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// NewStreamEncoder implements wire.Codec. response.created and
// response.in_progress are written for started, so that a client knows at once
// that its answer begins. Failed writes an event error and, where the answer had
// begun, response.failed behind it; there is no [DONE] in this dialect.
func (c codec) NewStreamEncoder(options wire.AnswerOptions) wire.StreamEncoder {
	return &streamEncoder{options: options, object: object{echo: c.echo}, skip: c.skip, numbered: c.numbered}
}

type streamEncoder struct {
	options  wire.AnswerOptions
	object   object
	output   output
	head     int   // the first item that has not ended
	next     int64 // the next sequence number
	skip     int64 // events before this one are left out
	numbered bool  // events have ids
	begun    bool
	ended    bool
	reason   conversationv1.FinishReason
	from     int // where the event that is being written begins
}

// Encode implements wire.StreamEncoder.
func (e *streamEncoder) Encode(dst []byte, events []*conversationv1.Event) ([]byte, error) {
	w := writer{jsonbody.Writer{B: dst}}
	for _, event := range events {
		if e.ended {
			break
		}
		if err := e.event(&w, event); err != nil {
			return w.B, err
		}
	}
	return w.B, nil
}

func (e *streamEncoder) event(w *writer, event *conversationv1.Event) error {
	var err error
	switch kind := event.GetKind().(type) {
	case *conversationv1.Event_Started:
		e.start(w, kind.Started)
		return nil
	case *conversationv1.Event_Text:
		if kind.Text.GetChoice() == 0 {
			err = e.output.addText(false, kind.Text.GetText(), kind.Text.GetLogprobs())
		}
	case *conversationv1.Event_Refusal:
		if kind.Refusal.GetChoice() == 0 {
			err = e.output.addText(true, kind.Refusal.GetText(), kind.Refusal.GetLogprobs())
		}
	case *conversationv1.Event_Reasoning:
		if r := kind.Reasoning; r.GetChoice() == 0 {
			err = e.output.addReasoning(r.GetText(), r.GetSignature(), r.GetRedacted())
		}
	case *conversationv1.Event_ToolCall:
		if c := kind.ToolCall; c.GetChoice() == 0 {
			err = e.output.addCall(int(c.GetIndex()), &conversationv1.ToolCall{
				Id: c.GetId(), Name: c.GetName(), ArgumentsJson: c.GetArgumentsJson(),
			})
		}
	case *conversationv1.Event_ChoiceFinished:
		if kind.ChoiceFinished.GetChoice() == 0 {
			e.reason = kind.ChoiceFinished.GetReason()
			e.finishItems(w)
		}
		return nil
	case *conversationv1.Event_Usage:
		e.object.usage = wire.CopyUsage(kind.Usage)
		return nil
	case *conversationv1.Event_Finished:
		e.object.finished = kind.Finished.GetFinishTime().GetSeconds()
		e.finishItems(w)
		e.ended = true
		e.lifecycle(w, "response."+e.object.status)
		return nil
	case *conversationv1.Event_Failed:
		e.fail(w, kind.Failed)
		return nil
	}
	if err == nil {
		e.show(w)
	}
	return err
}

func (e *streamEncoder) start(w *writer, started *conversationv1.Started) {
	e.begun = true
	e.object.identify(started, e.options)
	e.object.status = inProgress
	e.output.id, e.output.echo = e.object.id, e.object.echo
	e.lifecycle(w, "response.created")
	e.lifecycle(w, "response.in_progress")
}

// open begins an event, up to the members that are its own.
func (e *streamEncoder) open(w *writer, name string) {
	e.from = len(w.B)
	if e.numbered {
		w.B = append(strconv.AppendInt(append(w.B, "id: "...), e.next, 10), '\n')
	}
	w.B = append(append(append(w.B, "event: "...), name...), "\ndata: {"...)
	w.B = append(append(append(w.B, `"type":"`...), name...), `","sequence_number":`...)
	w.B = strconv.AppendInt(w.B, e.next, 10)
}

// close ends the event, and takes it back where the client has it already.
func (e *streamEncoder) close(w *writer) {
	w.B = append(w.B, "}\n\n"...)
	if e.next < e.skip {
		w.B = w.B[:e.from]
	}
	e.next++
}

// lifecycle writes an event that holds the whole answer.
func (e *streamEncoder) lifecycle(w *writer, name string) {
	e.object.items = e.output.items
	e.open(w, name)
	w.Key("response")
	e.object.write(w)
	e.close(w)
}

// of begins an event about an item.
func (e *streamEncoder) of(w *writer, name string, it *item) {
	e.open(w, name)
	w.StrField("item_id", it.id)
	w.IntField("output_index", int64(e.head))
}

// show writes what is new of the item that is open, and of those behind it as
// far as they can be told.
func (e *streamEncoder) show(w *writer) {
	for e.head < len(e.output.items) {
		it := e.output.items[e.head]
		e.progress(w, it)
		if e.head == len(e.output.items)-1 && !it.sealed || !it.whole() {
			return
		}
		e.end(w, it, completed)
	}
}

// finishItems ends what is open at the end of the choice.
func (e *streamEncoder) finishItems(w *writer) {
	e.object.items = e.output.items
	e.object.finish(e.reason)
	for e.head < len(e.output.items) {
		it := e.output.items[e.head]
		it.settle()
		e.progress(w, it)
		status := completed
		if e.head == len(e.output.items)-1 {
			status = e.object.open
		}
		it.done = status == completed
		e.end(w, it, status)
	}
}

// progress writes what is new of an item.
func (e *streamEncoder) progress(w *writer, it *item) {
	if !it.announced {
		it.announced = true
		e.open(w, "response.output_item.added")
		w.IntField("output_index", int64(e.head))
		w.Key("item")
		w.item(it, inProgress)
		e.close(w)
	}
	switch it.kind {
	case messageItem:
		e.message(w, it)
	case reasoningItem:
		e.reasoning(w, it)
	case callItem:
		if text := it.given(); len(text) > it.shown {
			name := "response.function_call_arguments.delta"
			if it.called.custom {
				name = "response.custom_tool_call_input.delta"
			}
			e.of(w, name, it)
			w.StrField("delta", text[it.shown:])
			e.close(w)
			it.shown = len(text)
		}
	}
}

// message writes what is new of a message's parts.
func (e *streamEncoder) message(w *writer, it *item) {
	for it.part < len(it.parts) {
		part := it.parts[it.part]
		if !it.partOpen {
			it.partOpen, it.shown, it.shownTokens = true, 0, 0
			e.ofPart(w, "response.content_part.added", it)
			w.Key("part")
			w.part(part.refusal, "", nil)
			e.close(w)
		}
		if text := part.text.String(); len(text) > it.shown || len(part.logprobs) > it.shownTokens {
			name := "response.output_text.delta"
			if part.refusal {
				name = "response.refusal.delta"
			}
			e.ofPart(w, name, it)
			w.StrField("delta", text[it.shown:])
			if !part.refusal {
				w.Key("logprobs")
				w.logprobs(part.logprobs[it.shownTokens:])
			}
			e.close(w)
			it.shown, it.shownTokens = len(text), len(part.logprobs)
		}
		if it.part == len(it.parts)-1 {
			return
		}
		e.endPart(w, it)
	}
}

func (e *streamEncoder) ofPart(w *writer, name string, it *item) {
	e.of(w, name, it)
	w.IntField("content_index", int64(it.part))
}

// endPart ends the part that is open.
func (e *streamEncoder) endPart(w *writer, it *item) {
	part := it.parts[it.part]
	text := part.text.String()
	if part.refusal {
		e.ofPart(w, "response.refusal.done", it)
		w.StrField("refusal", text)
	} else {
		e.ofPart(w, "response.output_text.done", it)
		w.StrField("text", text)
		w.Key("logprobs")
		w.logprobs(part.logprobs)
	}
	e.close(w)
	e.ofPart(w, "response.content_part.done", it)
	w.Key("part")
	w.part(part.refusal, text, part.logprobs)
	e.close(w)
	it.part++
	it.partOpen = false
}

// reasoning writes what is new of a block of thought.
func (e *streamEncoder) reasoning(w *writer, it *item) {
	text := it.thought.String()
	if len(text) <= it.shown {
		return
	}
	if !it.partOpen {
		it.partOpen = true
		e.ofSummary(w, "response.reasoning_summary_part.added", it)
		w.Key("part")
		w.summary("")
		e.close(w)
	}
	e.ofSummary(w, "response.reasoning_summary_text.delta", it)
	w.StrField("delta", text[it.shown:])
	e.close(w)
	it.shown = len(text)
}

func (e *streamEncoder) ofSummary(w *writer, name string, it *item) {
	e.of(w, name, it)
	w.IntField("summary_index", 0)
}

// end ends the item that is open.
func (e *streamEncoder) end(w *writer, it *item, status string) {
	switch it.kind {
	case messageItem:
		if it.partOpen {
			e.endPart(w, it)
		}
	case reasoningItem:
		if it.partOpen {
			text := it.thought.String()
			e.ofSummary(w, "response.reasoning_summary_text.done", it)
			w.StrField("text", text)
			e.close(w)
			e.ofSummary(w, "response.reasoning_summary_part.done", it)
			w.Key("part")
			w.summary(text)
			e.close(w)
		}
	case callItem:
		if it.called.custom {
			e.of(w, "response.custom_tool_call_input.done", it)
			w.StrField("input", it.given())
		} else {
			e.of(w, "response.function_call_arguments.done", it)
			w.StrField("name", it.called.name)
			w.StrField("arguments", it.arguments.String())
		}
		e.close(w)
	}
	e.open(w, "response.output_item.done")
	w.IntField("output_index", int64(e.head))
	w.Key("item")
	w.item(it, status)
	e.close(w)
	it.done = it.done || status == completed
	e.head++
}

// fail ends an answer that is not whole. What somebody cancelled is no error.
func (e *streamEncoder) fail(w *writer, failure *conversationv1.Failure) {
	e.ended = true
	if failure.GetReason() == meshv1.ErrorReason_ERROR_REASON_INTERRUPTED {
		// A process that died may have shown more than it kept: whoever saw that
		// has not seen the end, whatever its number here would be.
		e.next = max(e.next, e.skip)
	}
	c := complaintOf(wire.Fault(failure))
	if !e.begun || failure.GetReason() != meshv1.ErrorReason_ERROR_REASON_CANCELLED {
		e.open(w, "error")
		w.RawField("code", c.code)
		w.RawField("message", c.message)
		w.RawField("param", c.param)
		w.Key("error")
		w.Open('{')
		w.RawField("type", c.kind)
		w.RawField("code", c.code)
		w.RawField("message", c.message)
		w.RawField("param", c.param)
		w.Close('}')
		e.close(w)
	}
	if e.begun {
		e.object.fail(failure)
		e.lifecycle(w, "response.failed")
	}
}
