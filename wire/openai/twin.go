package openai

import (
	"bytes"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// The frame of an event as nearly all servers send it.
const (
	twinLead = "data: "
	twinEnd  = "\n\n"
)

// Escapes of halves of characters begin so.
var cutMark, cutMarkToo = []byte(`\ud`), []byte(`\uD`)

// Texts decodes events that stand between before and after each, apart from their texts,
// as these came, one behind the other. It is false where they must be decoded one by one,
// behind the events that are returned. Join must have been called.
func (d *streamDecoder) Texts(dst []*conversationv1.Event, before, after, texts []byte) ([]*conversationv1.Event, bool) {
	if d.failed || d.done || !d.join || bytes.Contains(texts, cutMark) || bytes.Contains(texts, cutMarkToo) {
		return dst, false
	}
	if !d.twin.Is(before, after) {
		of := d.onlyTexts(before, after)
		if of == nil {
			return dst, false
		}
		if d.of != of {
			dst, d.of = d.joined(dst), of
		}
		d.twin.Learn(twinLead, d.room, len(before)-len(twinLead), len(before)-len(twinLead))
	}
	text := d.held()
	out, ok := jsonscan.AppendInside(*text, texts)
	*text = out
	return dst, ok
}

// onlyTexts is the choice of which an event, whose text stands between before and after,
// holds that and nothing else, whatever the text; nil where it holds anything else. The
// event without its text is the decoder's room then.
func (d *streamDecoder) onlyTexts(before, after []byte) (of *choiceDecoder) {
	if len(before) <= len(twinLead) || string(before[:len(twinLead)]) != twinLead || !bytes.HasSuffix(after, []byte(twinEnd)) {
		return nil
	}
	before, after = before[len(twinLead):], after[:len(after)-len(twinEnd)]
	d.room = append(append(d.room[:0], before...), after...)
	known := &d.chunk
	if !d.started || known.scan(d.room) != nil || len(known.body) != len(before)+len(after) || known.fails() || known.findUsage() != nil ||
		known.members[atChoices].Kind != jsonscan.Array {
		return nil
	}
	choices := 0
	err := jsonscan.ForEachElement(known.body, known.members[atChoices].Value, func(m jsonscan.Member) bool {
		choices++
		var c choice
		if c.scan(known.body, m) != nil || c.members[atDelta].Kind != jsonscan.Object || c.members[atChoiceUsage].Kind == jsonscan.Object {
			return false
		}
		var room [deltaMembers]jsonscan.Member
		if _, err := jsonscan.ScanObject(known.body, c.members[atDelta].Value, deltaKeys, room[:]); err != nil {
			return false
		}
		var state *choiceDecoder
		if c.index < int64(len(d.choices)) {
			state = d.choices[c.index]
		}
		_, ends := c.ending()
		if state != nil && !ends && onlyText(known.body, state, &room, c.members[atChoiceLogprobs]) && room[atContent].Value.Start+1 == len(before) {
			of = state
		}
		return true
	})
	if err != nil || choices != 1 {
		return nil
	}
	return of
}

// lone says that the chunk holds one choice with a text and nothing that another
// chunk alike would have to be read for.
func (d *streamDecoder) lone(c choice) bool {
	chunk := &d.chunk
	if chunk.members[atUsage].Kind == jsonscan.Object || chunk.members[atXGroq].Kind == jsonscan.Object || c.members[atChoiceUsage].Kind == jsonscan.Object {
		return false
	}
	choices := 0
	err := jsonscan.ForEachElement(chunk.body, chunk.members[atChoices].Value, func(jsonscan.Member) bool { choices++; return choices < 2 })
	return err == nil && choices == 1
}
