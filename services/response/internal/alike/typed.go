package alike

import (
	"encoding/binary"
	"unicode/utf8"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// Typed is a chunk of a sequence number and events.
type Typed struct {
	Sequence uint64
	Events   []*conversationv1.Event
	Size     int // marshalled
}

// AddTyped is Add of a typed chunk; false also where its events do more than to add text to
// one choice in one way.
func (t *Texts) AddTyped(c Typed, grow func([]byte, int) []byte) bool {
	if len(c.Events) == 0 || c.Sequence > maxSequence {
		return false
	}
	kind, choice, _, ok := deltaOf(c.Events[0])
	if !ok || t.chunks > 0 && (!t.typed || c.Sequence != t.first+uint64(t.chunks) || kind != t.wire || choice != t.form) {
		return false
	}
	whole, entry, most := 0, fieldSize(c.Sequence), 0
	for _, event := range c.Events {
		k, at, text, ok := deltaOf(event)
		if !ok || k != kind || at != choice || !utf8.ValidString(text) {
			return false
		}
		whole, entry, most = whole+len(text), entry+eventSize(choice, uint64(len(text))), max(most, len(text))
	}
	if entry != c.Size { // there is something else
		return false
	}
	t.sizes = grow(t.sizes, binary.MaxVarintLen64+len(c.Events)*varint(uint64(most)<<1))
	t.makeRoom(whole, grow)
	if len(c.Events) > 1 {
		t.sizes = binary.AppendUvarint(t.sizes, uint64(len(c.Events))<<1|1)
	}
	for _, event := range c.Events {
		_, _, text, _ := deltaOf(event)
		if t.text = append(t.text, text...); len(c.Events) > 1 {
			t.sizes = binary.AppendUvarint(t.sizes, uint64(len(text)))
		} else {
			t.sizes = binary.AppendUvarint(t.sizes, uint64(len(text))<<1)
		}
	}
	if t.chunks == 0 {
		t.first, t.wire, t.form, t.typed = c.Sequence, kind, choice, true
	}
	t.chunks, t.size = t.chunks+1, t.size+varint(uint64(entry))+entry
	return true
}

// TypedLead is how many of events, from the first on, AddTyped would take together.
func TypedLead(events []*conversationv1.Event) (count int) {
	var kind, choice uint64
	for i, event := range events {
		k, at, text, ok := deltaOf(event)
		if i == 0 {
			kind, choice = k, at
		}
		if !ok || k != kind || at != choice || !utf8.ValidString(text) {
			return i
		}
	}
	return len(events)
}

// The kinds of deltas that may be text alone, by the numbers of their fields in an Event.
const (
	kindText      = 2
	kindReasoning = 3
	kindRefusal   = 5
)

// deltaOf is the kind, the choice and the text of an event that adds text; what else it may
// hold is not looked for, but for log probabilities.
func deltaOf(event *conversationv1.Event) (kind, choice uint64, text string, ok bool) {
	switch of := event.GetKind().(type) {
	case *conversationv1.Event_Text:
		kind, choice, text, ok = kindText, uint64(of.Text.GetChoice()), of.Text.GetText(), len(of.Text.GetLogprobs()) == 0
	case *conversationv1.Event_Reasoning:
		kind, choice, text, ok = kindReasoning, uint64(of.Reasoning.GetChoice()), of.Reasoning.GetText(), true
	case *conversationv1.Event_Refusal:
		kind, choice, text, ok = kindRefusal, uint64(of.Refusal.GetChoice()), of.Refusal.GetText(), len(of.Refusal.GetLogprobs()) == 0
	}
	return kind, choice, text, ok && choice < 0x80
}

// Tags of the fields of a Chunk that are its events, and of a delta.
const (
	tagEvent  = 2<<3 | 2
	tagChoice = 1 << 3
	tagText   = 2<<3 | 2
)

// deltaSize is that of a delta that adds so many bytes of text.
func deltaSize(choice, text uint64) uint64 {
	size := uint64(fieldSize(choice))
	if text > 0 {
		size += uint64(1+varint(text)) + text
	}
	return size
}

// eventSize is that of an event with such a delta as a field of a chunk.
func eventSize(choice, text uint64) int {
	delta := deltaSize(choice, text)
	event := uint64(1+varint(delta)) + delta
	return 1 + varint(event) + int(event)
}

func appendEvent(dst []byte, kind, choice uint64, text []byte) []byte {
	delta := deltaSize(choice, uint64(len(text)))
	dst = binary.AppendUvarint(append(dst, tagEvent), uint64(1+varint(delta))+delta)
	dst = binary.AppendUvarint(append(dst, byte(kind<<3|2)), delta)
	dst = appendField(dst, tagChoice, choice)
	if len(text) == 0 {
		return dst
	}
	return append(binary.AppendUvarint(append(dst, tagText), uint64(len(text))), text...)
}
