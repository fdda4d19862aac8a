// Package alike knows the events of a stream that are the last one again but for their
// text, as most events are, so that they need not be read.
package alike

import (
	"bytes"
	"unicode/utf8"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/events"
)

// Event is an event of server-sent events of which all but the text is known. The zero
// value knows none. Its memory is its own.
type Event struct {
	// Known says that one is known.
	Known bool

	lead          string // of the event before its data
	before, after []byte // of the data
}

// maxKept bounds what is kept of an event around its text.
const maxKept = 4096

// MaxLessons is how often in a row an event is worth keeping that the next one turns out
// not to be like.
const MaxLessons = 8

// Learn keeps an event that begins with lead and whose data is body, its text
// body[start:end]. Two line feeds end it.
func (e *Event) Learn(lead string, body []byte, start, end int) {
	if len(body)-(end-start) > maxKept {
		e.Known = false
		return
	}
	e.Known, e.lead = true, lead
	e.before, e.after = append(e.before[:0], body[:start]...), append(e.after[:0], body[end:]...)
}

// Forget is the zero value with the same memory.
func (e *Event) Forget() { *e = Event{before: e.before[:0], after: e.after[:0]} }

// ending is that of an event as nearly all servers send it.
const ending = "\n\n"

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

// Next is the event at the beginning of data, where it is alike in everything
// but its text: the text, whether that is ASCII alone, and the event's size; 0
// where it is not alike. A text with escapes is left to those who read them.
func (e *Event) Next(data []byte) (text []byte, ascii bool, size int) {
	front, lead := len(e.lead), len(e.lead)+len(e.before)
	if len(data) < lead+len(e.after)+len(ending) || string(data[:front]) != e.lead || !bytes.Equal(data[front:lead], e.before) {
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
	size = at + len(e.after) + len(ending)
	if size > len(data) || !bytes.Equal(data[at:size-len(ending)], e.after) || string(data[size-len(ending):size]) != ending {
		return nil, false, 0
	}
	return data[lead:at], kinds == 0, size
}

// Pass passes over the events at the beginning of data that are alike: their
// size, and how many they are.
func (e *Event) Pass(data []byte) (size, count int) {
	for e.Known {
		_, _, n := e.Next(data[size:])
		if n == 0 {
			break
		}
		size, count = size+n, count+1
	}
	return size, count
}

// Take writes the texts of the events at the beginning of data that are alike to
// dst. It returns the rest of data.
func (e *Event) Take(dst *[]byte, data []byte) (rest []byte) {
	out := *dst
	for e.Known {
		text, ascii, n := e.Next(data)
		if n == 0 || !ascii && !utf8.Valid(text) {
			break
		}
		out, data = append(out, text...), data[n:]
	}
	*dst = out
	return data
}

// Is says that the event is known whose text stands between before and after, which are
// of the whole event.
func (e *Event) Is(before, after []byte) bool {
	front := len(e.lead)
	return e.Known && len(before) == front+len(e.before) && string(before[:front]) == e.lead && bytes.Equal(before[front:], e.before) &&
		len(after) == len(e.after)+len(ending) && string(after[len(e.after):]) == ending && bytes.Equal(after[:len(e.after)], e.after)
}

// HasPrefix says that data, of an event, begins as that of the known one.
func (e *Event) HasPrefix(data []byte) bool { return e.Known && bytes.HasPrefix(data, e.before) }

// Texts is memory for the texts of several events. The zero value is ready.
type Texts struct {
	room  []byte
	ends  []int
	lends bool
	lent  events.Lent
}

// Lend makes the events of Decode good until Back, which takes them back.
func (t *Texts) Lend() { t.lends = true }

// Back takes back the events that are lent: they must not be used any more.
func (t *Texts) Back() {
	if t.lends {
		t.lent.Back()
	}
}

// Forget is Back and the zero value with the same memory.
func (t *Texts) Forget() {
	t.Back()
	t.lends = false
}

// Form is what events are known by: an Event or a Mould.
type Form interface {
	// Next is the event at the beginning of data, where it is alike in everything but what
	// differs: its text, whether that is ASCII alone, and the event's size; 0 where it is
	// not alike.
	Next(data []byte) (text []byte, ascii bool, size int)
}

// Decode appends the events at the beginning of data that are like a form that is known,
// of a choice, and returns the rest of data and how many they were. Their texts are parts
// of one string, and the events lie side by side: whoever keeps one keeps those that came
// with it, see also Lend. Events without text give none.
func (t *Texts) Decode(dst []*conversationv1.Event, form Form, choice int32, data []byte) (_ []*conversationv1.Event, rest []byte, count int) {
	t.room, t.ends = t.room[:0], t.ends[:0]
	for {
		text, ascii, n := form.Next(data)
		if n == 0 || !ascii && !utf8.Valid(text) {
			break
		}
		count++
		data = data[n:]
		t.add(text)
	}
	return t.give(dst, choice), data, count
}

// add keeps a text for give, where it is one.
func (t *Texts) add(text []byte) {
	if len(text) > 0 {
		t.room = append(t.room, text...)
		t.ends = append(t.ends, len(t.room))
	}
}

// give appends an event for each of the texts.
func (t *Texts) give(dst []*conversationv1.Event, choice int32) []*conversationv1.Event {
	switch {
	case len(t.ends) == 0:
		return dst
	case t.lends:
		return t.lent.Texts(dst, choice, string(t.room), t.ends)
	}
	return events.Texts(dst, choice, string(t.room), t.ends)
}
