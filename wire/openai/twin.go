package openai

import (
	"bytes"
	"unicode/utf8"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// twin is an event of which all but the text is known: the next one is most
// often the same but for that, and need not be read again.
type twin struct {
	known         bool
	before, after []byte
}

// maxTwin bounds what is kept of an event around its text.
const maxTwin = 4096

// learn keeps an event whose text is body[start:end].
func (t *twin) learn(body []byte, start, end int) {
	if len(body)-(end-start) > maxTwin {
		t.known = false
		return
	}
	t.known = true
	t.before, t.after = append(t.before[:0], body[:start]...), append(t.after[:0], body[end:]...)
}

// The frame of an event as nearly all servers send it.
const (
	twinLead = "data: "
	twinEnd  = "\n\n"
)

// Bytes of a string of JSON by what they mean to who looks for its end.
const (
	plainByte  = iota
	wideByte   // of a character that is no ASCII
	stringByte // the string's end, an escape or no part of a string
)

var byteKinds = func() (kinds [256]byte) {
	for i := range kinds {
		switch {
		case i < ' ' || i == '"' || i == '\\':
			kinds[i] = stringByte
		case i >= utf8.RuneSelf:
			kinds[i] = wideByte
		}
	}
	return kinds
}()

// next is the event at the beginning of data, where it is alike in everything
// but its text: the text, whether that is ASCII alone, and the event's size; 0
// where it is not alike. A text with escapes is left to those who read them.
func (t *twin) next(data []byte) (text []byte, ascii bool, size int) {
	lead := len(twinLead) + len(t.before)
	if len(data) < lead+len(t.after)+len(twinEnd) || string(data[:len(twinLead)]) != twinLead || !bytes.Equal(data[len(twinLead):lead], t.before) {
		return nil, false, 0
	}
	at, kinds := lead, byte(0)
	for ; at < len(data); at++ {
		kind := byteKinds[data[at]]
		if kind == stringByte {
			break
		}
		kinds |= kind
	}
	size = at + len(t.after) + len(twinEnd)
	if size > len(data) || !bytes.Equal(data[at:size-len(twinEnd)], t.after) || string(data[size-len(twinEnd):size]) != twinEnd {
		return nil, false, 0
	}
	return data[lead:at], kinds == 0, size
}

// pass passes over the events at the beginning of data that are alike: their
// size, and how many they are.
func (t *twin) pass(data []byte) (size, count int) {
	for t.known {
		_, _, n := t.next(data[size:])
		if n == 0 {
			break
		}
		size, count = size+n, count+1
	}
	return size, count
}

// take writes the texts of the events at the beginning of data that are alike to
// dst. It returns the rest of data.
func (t *twin) take(dst *[]byte, data []byte) (rest []byte) {
	out := *dst
	for t.known {
		text, ascii, n := t.next(data)
		if n == 0 || !ascii && !utf8.Valid(text) {
			break
		}
		out, data = append(out, text...), data[n:]
	}
	*dst = out
	return data
}

// alike decodes the events at the beginning of data that are the last one again but for
// their texts, and returns the rest of data. Their texts are parts of one string, and the
// events lie side by side: whoever keeps one keeps those that came with it.
func (d *streamDecoder) alike(dst []*conversationv1.Event, data []byte) (_ []*conversationv1.Event, rest []byte) {
	d.room, d.ends = d.room[:0], d.ends[:0]
	for {
		text, ascii, n := d.twin.next(data)
		if n == 0 || !ascii && !utf8.Valid(text) {
			break
		}
		if data = data[n:]; len(text) > 0 {
			d.room = append(d.room, text...)
			d.ends = append(d.ends, len(d.room))
		}
	}
	if len(d.ends) == 0 {
		return dst, data
	}
	d.lessons = 0
	texts, parts, start := string(d.room), make([]textParts, len(d.ends)), 0
	for i, end := range d.ends {
		dst = append(dst, parts[i].make(d.of.index, texts[start:end], nil))
		start = end
	}
	return dst, data
}

// is says that the event is known whose text stands between before and after.
func (t *twin) is(before, after []byte) bool {
	return t.known && len(before) == len(twinLead)+len(t.before) && string(before[:len(twinLead)]) == twinLead && bytes.Equal(before[len(twinLead):], t.before) &&
		len(after) == len(t.after)+len(twinEnd) && string(after[len(t.after):]) == twinEnd && bytes.Equal(after[:len(t.after)], t.after)
}

// Escapes of halves of characters begin so.
var cutMark, cutMarkToo = []byte(`\ud`), []byte(`\uD`)

// Texts decodes events that stand between before and after each, apart from their texts,
// as these came, one behind the other. It is false where they must be decoded one by one,
// behind the events that are returned. Join must have been called.
func (d *streamDecoder) Texts(dst []*conversationv1.Event, before, after, texts []byte) ([]*conversationv1.Event, bool) {
	if d.failed || d.done || !d.join || bytes.Contains(texts, cutMark) || bytes.Contains(texts, cutMarkToo) {
		return dst, false
	}
	if !d.twin.is(before, after) {
		of := d.onlyTexts(before, after)
		if of == nil {
			return dst, false
		}
		if d.of != of {
			dst, d.of = d.joined(dst), of
		}
		d.twin.learn(d.room, len(before)-len(twinLead), len(before)-len(twinLead))
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
